package drift

// tableParts leave out comments and physical properties: tablespaces, statistics, whether a
// materialized view is filled.
var tableParts = []part{
	{
		kind: "case rel.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end", name: "rel.q",
		from: "rel where rel.relkind <> 'S'",
		props: []sqlProperty{
			{"form", "case rel.relkind when 'p' then 'partitioned' when 'f' then 'foreign' end"},
			{"persistence", "case rel.relpersistence when 'u' then 'unlogged' when 't' then 'temporary' end"},
			{"partition key", "case when rel.relkind = 'p' then pg_get_partkeydef(rel.oid) end"},
			{
				"inherits",
				"select string_agg(inhparent::regclass::text, ', ' order by inhseqno) from pg_inherits where inhrelid = rel.oid",
			},
			{"bounds", "pg_get_expr(rel.relpartbound, rel.oid)"},
			{"of type", "nullif(rel.reloftype, 0)::regtype"},
			{
				"row security",
				"case when rel.relforcerowsecurity then case when rel.relrowsecurity then 'forced' else 'off, but forced' end " +
					"when rel.relrowsecurity then 'on' end",
			},
			{"replica identity", "case rel.relreplident when 'f' then 'full' when 'i' then 'index' " +
				"when 'n' then case when rel.relkind in ('r', 'p') then 'nothing' end end"},
			{"access method", "select quote_ident(amname) from pg_am where oid = rel.relam and amname <> 'heap'"},
			{"options", sqlOptions("rel.reloptions")},
			{
				"toast options",
				"select " + "(" + sqlOptions(
					"t.reloptions",
				) + ") from pg_class t where t.oid = rel.reltoastrelid and t.reloptions is not null",
			},
			{"server", `select concat_ws(' ', quote_ident(srvname), ftoptions::text)
				from pg_foreign_table join pg_foreign_server v on v.oid = ftserver where ftrelid = rel.oid`},
			{"definition", "case when rel.relkind in ('v', 'm') then pg_get_viewdef(rel.oid) end"},
			{"owner", sqlRole("rel.relowner")},
			{"grants", sqlGrants("rel.relacl", "r", "rel.relowner")},
		},
	},
	{
		// The columns of a view are in its definition, except for their defaults and privileges.
		kind: "'column'", table: "rel.q", name: "quote_ident(a.attname)", position: "a.attnum",
		from: `rel join pg_attribute a on a.attrelid = rel.oid and a.attnum > 0 and not a.attisdropped
			join pg_type t on t.oid = a.atttypid
			left join pg_attrdef d on d.adrelid = rel.oid and d.adnum = a.attnum and a.atthasdef
			where rel.relkind in ('r', 'p', 'f') or rel.relkind in ('v', 'm') and (a.attacl is not null or a.atthasdef)`,
		props: []sqlProperty{
			{"type", "format_type(a.atttypid, a.atttypmod)"},
			{"collation", "case when a.attcollation not in (0, t.typcollation) then a.attcollation::regcollation end"},
			{"not null", sqlIs("a.attnotnull", "yes")},
			{"default", "case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end"},
			{
				"generated",
				"case a.attgenerated when 's' then 'stored ' when 'v' then 'virtual ' end || pg_get_expr(d.adbin, d.adrelid)",
			},
			{"identity", "case a.attidentity when 'a' then 'always' when 'd' then 'by default' end"},
			{"inherited", "case when a.attinhcount > 0 then case when a.attislocal then 'yes, and local' else 'yes' end end"},
			{
				"storage",
				"case when a.attstorage <> t.typstorage then case a.attstorage when 'p' then 'plain' when 'e' then 'external' " +
					"when 'm' then 'main' else 'extended' end end",
			},
			{"compression", "case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end"},
			{"statistics target", "nullif(a.attstattarget, -1)"},
			{"options", sqlOptions("a.attoptions")},
			{"foreign options", sqlOptions("a.attfdwoptions")},
			{"grants", "case when a.attacl is not null then (" + sqlGrants("a.attacl", "", "rel.relowner") + ") end"},
		},
	},
	{
		// NOT NULL is a property of its column; PostgreSQL 18 stores it as a constraint with a name. The
		// constraints that the server adds for a foreign key to a partitioned table are left out.
		kind: "'constraint'", table: "rel.q",
		name: "case when k.contype = 'n' then pg_get_constraintdef(k.oid) else quote_ident(k.conname) end",
		from: `rel join pg_constraint k on k.conrelid = rel.oid
			left join pg_index i on i.indexrelid = k.conindid and k.contype in ('p', 'u', 'x')
			where (k.contype in ('c', 'f', 'p', 'u', 'x') or k.contype = 'n' and (k.connoinherit or not k.convalidated))
			and (k.contype <> 'f' or k.conparentid = 0
				or k.conrelid is distinct from (select p.conrelid from pg_constraint p where p.oid = k.conparentid))`,
		props: []sqlProperty{
			{"definition", "pg_get_constraintdef(k.oid)"},
			{"inherited", "case when k.coninhcount > 0 then case when k.conislocal then 'yes, and local' else 'yes' end end"},
			{"index", sqlIndexState},
			{
				"index options",
				"select (" + sqlOptions(
					"c.reloptions",
				) + ") from pg_class c where c.oid = i.indexrelid and c.reloptions is not null",
			},
			{
				"triggers",
				"select 'disabled' from pg_trigger g where k.contype = 'f' and g.tgconstraint = k.oid" +
					" and g.tgenabled <> 'O' limit 1",
			},
		},
	},
	{
		kind: "'index'", table: "rel.q", name: "quote_ident(c.relname)",
		from: `rel join pg_index i on i.indrelid = rel.oid join pg_class c on c.oid = i.indexrelid
			where not exists (select from pg_constraint k where k.conrelid = rel.oid and k.conindid = i.indexrelid
				and k.contype in ('p', 'u', 'x'))`,
		props: []sqlProperty{
			{"definition", "pg_get_indexdef(i.indexrelid)"},
			{"index", sqlIndexState},
			{"inherits", "select inhparent::regclass from pg_inherits where inhrelid = i.indexrelid"},
			{"statistics targets", "select string_agg(attnum || ' ' || attstattarget, ', ' order by attnum) from pg_attribute " +
				"where attrelid = i.indexrelid and attstattarget >= 0"},
		},
	},
	{
		kind: "'statistics'", table: "rel.q", name: "quote_ident(x.stxname)",
		from: "rel join pg_statistic_ext x on x.stxrelid = rel.oid and x.stxnamespace = s.oid",
		props: []sqlProperty{
			{"definition", "pg_get_statisticsobjdef(x.oid)"},
			{"target", "nullif(x.stxstattarget, -1)"},
			{"owner", sqlRole("x.stxowner")},
		},
	},
}

// sqlIndexState lists the flags of an index that differ from the default.
const sqlIndexState = `nullif(concat_ws(', ', case when not i.indisvalid then 'not valid' end,
	case when not i.indisready then 'not ready' end,
	case when i.indisclustered then 'clustered' end, case when i.indisreplident then 'replica identity' end), '')`

// relationParts are triggers, policies and rules of tables and views, and sequences.
var relationParts = []part{
	{
		kind: "'trigger'", table: "rel.q", name: "quote_ident(g.tgname)",
		from: "rel join pg_trigger g on g.tgrelid = rel.oid and not g.tgisinternal",
		props: []sqlProperty{
			{"definition", "pg_get_triggerdef(g.oid)"},
			{"enabled", sqlEnabled("g.tgenabled")},
		},
	},
	{
		kind: "'policy'", table: "rel.q", name: "quote_ident(p.polname)",
		from: "rel join pg_policy p on p.polrelid = rel.oid",
		props: []sqlProperty{
			{"form", sqlIs("not p.polpermissive", "restrictive")},
			{
				"command",
				"case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'" +
					" else 'all' end",
			},
			{
				"roles",
				"select string_agg(who, ', ' order by who collate \"C\") from (select " + sqlRole(
					"r",
				) + " as who from unnest(p.polroles) r) x",
			},
			{"using", "pg_get_expr(p.polqual, p.polrelid)"},
			{"check", "pg_get_expr(p.polwithcheck, p.polrelid)"},
		},
	},
	{
		kind: "'rule'", table: "rel.q", name: "quote_ident(r.rulename)",
		from: "rel join pg_rewrite r on r.ev_class = rel.oid and r.rulename <> '_RETURN'",
		props: []sqlProperty{
			{"definition", "pg_get_ruledef(r.oid)"},
			{"enabled", sqlEnabled("r.ev_enabled")},
		},
	},
	{
		// The sequence of an identity column has the name of the column: the server chose its own.
		kind: "case when d.deptype = 'i' then 'identity sequence' else 'sequence' end",
		table: "case when d.refobjid is null then '' else (select quote_ident(relname) from pg_class" +
			" where oid = d.refobjid) end",
		name: "case when d.deptype = 'i' then (" + sqlOwnedColumn + ") else rel.q end",
		from: `rel join pg_sequence q on q.seqrelid = rel.oid
			left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = rel.oid and d.objsubid = 0
				and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
			where rel.relkind = 'S'`,
		props: []sqlProperty{
			{"type", "format_type(q.seqtypid, null)"},
			{"start", "q.seqstart"},
			{"increment", "q.seqincrement"},
			{"minimum", "q.seqmin"},
			{"maximum", "q.seqmax"},
			{"cache", "q.seqcache"},
			{"cycle", sqlIs("q.seqcycle", "yes")},
			{"owned by", "case when d.deptype = 'a' then (" + sqlOwnedColumn + ") end"},
			{"persistence", "case rel.relpersistence when 'u' then 'unlogged' when 't' then 'temporary' end"},
			{"owner", sqlRole("rel.relowner")},
			{"grants", sqlGrants("rel.relacl", "s", "rel.relowner")},
		},
	},
}

const sqlOwnedColumn = "select quote_ident(attname) from pg_attribute where attrelid = d.refobjid" +
	" and attnum = d.refobjsubid"

func sqlEnabled(state string) string {
	return "case " + state + " when 'D' then 'no' when 'R' then 'on a replica' when 'A' then 'always' end"
}
