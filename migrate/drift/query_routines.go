package drift

// routineParts are functions, procedures and aggregates. The schema's name is replaced in a body as
// in any SQL, whatever language the body is in.
var routineParts = []part{
	{
		kind: "case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' when 'w' then 'window function'" +
			" else 'function' end",
		name: "quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')'",
		from: "own join pg_proc p on p.oid = own.objid where own.classid = 'pg_proc'::regclass",
		list: "settings",
		props: []sqlProperty{
			{"arguments", "pg_get_function_arguments(p.oid)"},
			{"returns", "pg_get_function_result(p.oid)"},
			{"language", "select quote_ident(lanname) from pg_language where oid = p.prolang"},
			{"volatility", "case p.provolatile when 'i' then 'immutable' when 's' then 'stable' end"},
			{"strict", sqlIs("p.proisstrict", "yes")},
			{"security", sqlIs("p.prosecdef", "definer")},
			{"leakproof", sqlIs("p.proleakproof", "yes")},
			{"parallel", "case p.proparallel when 's' then 'safe' when 'r' then 'restricted' end"},
			{"cost", "p.procost"},
			{"rows", "nullif(p.prorows, 0)"},
			{"support", "nullif(p.prosupport, 0)::regproc"},
			{"settings", sqlOptions("p.proconfig")},
			{"body", "coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)"},
			{"library", "p.probin"},
			{"definition", `select concat_ws(', ', 'kind ' || aggkind::text, 'direct arguments ' || aggnumdirectargs,
				'state ' || format_type(aggtranstype, null), 'from ' || agginitval,
				'step ' || nullif(aggtransfn, 0)::oid::regprocedure,
				'final ' || nullif(aggfinalfn, 0)::oid::regprocedure, 'combine ' || nullif(aggcombinefn, 0)::oid::regprocedure,
				'serial ' || nullif(aggserialfn, 0)::oid::regprocedure, 'deserial ' || nullif(aggdeserialfn, 0)::oid::regprocedure,
				'moving state ' || format_type(nullif(aggmtranstype, 0), null),
				'moving step ' || nullif(aggmtransfn, 0)::oid::regprocedure,
				'moving inverse ' || nullif(aggminvtransfn, 0)::oid::regprocedure,
				'moving final ' || nullif(aggmfinalfn, 0)::oid::regprocedure,
				'moving from ' || aggminitval, 'sort operator ' || nullif(aggsortop, 0)::regoperator,
				aggfinalmodify, aggmfinalmodify, 'extra ' || aggfinalextra::text, aggmfinalextra)
			from pg_aggregate where aggfnoid = p.oid`},
			{"owner", sqlRole("p.proowner")},
			{"grants", sqlGrants("p.proacl", "f", "p.proowner")},
		},
	},
}

// otherParts are objects that schemas rarely have. Of the last part, only the existence is read.
var otherParts = []part{
	{
		kind: "'operator'",
		name: "o.oprname || '(' || concat_ws(', ', format_type(nullif(o.oprleft, 0), null)," +
			" format_type(nullif(o.oprright, 0), null)) || ')'",
		from: "own join pg_operator o on o.oid = own.objid where own.classid = 'pg_operator'::regclass",
		props: []sqlProperty{
			{"function", "nullif(o.oprcode, 0)::oid::regprocedure"},
			{"returns", "format_type(nullif(o.oprresult, 0), null)"},
			{"commutator", "nullif(o.oprcom, 0)::regoperator"},
			{"negator", "nullif(o.oprnegate, 0)::regoperator"},
			{"restrict", "nullif(o.oprrest, 0)::oid::regprocedure"},
			{"join", "nullif(o.oprjoin, 0)::oid::regprocedure"},
			{"merges", sqlIs("o.oprcanmerge", "yes")},
			{"hashes", sqlIs("o.oprcanhash", "yes")},
			{"owner", sqlRole("o.oprowner")},
		},
	},
	{
		kind: "'cast'", name: "'(' || format_type(k.castsource, null) || ' as ' || format_type(k.casttarget, null) || ')'",
		from: `(select distinct d.objid from own join pg_depend d on d.refclassid = own.classid and d.refobjid = own.objid
				where own.classid = 'pg_type'::regclass and d.classid = 'pg_cast'::regclass and d.deptype <> 'i') x
					join pg_cast k on k.oid = x.objid`,
		props: []sqlProperty{
			{"function", "nullif(k.castfunc, 0)::regprocedure"},
			{"context", "case k.castcontext when 'a' then 'assignment' when 'i' then 'implicit' end"},
			{"method", "case k.castmethod when 'i' then 'inout' when 'b' then 'binary' end"},
		},
	},
	{
		kind: "'collation'", name: "quote_ident(c.collname)",
		from: "own join pg_collation c on c.oid = own.objid where own.classid = 'pg_collation'::regclass",
		props: []sqlProperty{ // the columns are not the same in all versions
			{
				"definition",
				"(jsonb_strip_nulls(to_jsonb(c)) - '{oid,collname,collnamespace,collowner,collversion,collencoding}'::text[])",
			},
			{"owner", sqlRole("c.collowner")},
		},
	},
	{
		kind: "'text search dictionary'", name: "quote_ident(t.dictname)",
		from: "own join pg_ts_dict t on t.oid = own.objid where own.classid = 'pg_ts_dict'::regclass",
		props: []sqlProperty{
			{
				"template",
				"select quote_ident(nspname) || '.' || quote_ident(tmplname) from pg_ts_template m" +
					" join pg_namespace n on n.oid = tmplnamespace where m.oid = t.dicttemplate",
			},
			{"options", "t.dictinitoption"},
			{"owner", sqlRole("t.dictowner")},
		},
	},
	{
		kind: "'text search configuration'", name: "quote_ident(t.cfgname)",
		from: "own join pg_ts_config t on t.oid = own.objid where own.classid = 'pg_ts_config'::regclass",
		props: []sqlProperty{
			{
				"parser",
				"select quote_ident(nspname) || '.' || quote_ident(prsname) from pg_ts_parser m" +
					" join pg_namespace n on n.oid = prsnamespace where m.oid = t.cfgparser",
			},
			{
				"mapping",
				"select string_agg(maptokentype || ' ' || mapdict::regdictionary, ', ' order by maptokentype, mapseqno)" +
					" from pg_ts_config_map where mapcfg = t.oid",
			},
			{"owner", sqlRole("t.cfgowner")},
		},
	},
	{
		kind: "i.type",
		name: "i.identity",
		from: `own, pg_identify_object(own.classid, own.objid, 0) i
			where own.classid <> all ('{pg_class,pg_proc,pg_type,pg_default_acl,pg_extension,
			pg_statistic_ext,pg_operator,pg_collation,pg_ts_dict,pg_ts_config}'::regclass[])`,
	},
}
