package drift

// typeParts leave out the types that the server creates with a table, an array or a range.
var typeParts = []part{
	{
		kind: "case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'c' then 'composite type'" +
			" when 'r' then 'range' else 'type' end",
		name: "quote_ident(t.typname)",
		from: `own join pg_type t on t.oid = own.objid
		where own.classid = 'pg_type'::regclass and t.typtype <> 'm'
		and (t.typelem = 0 or t.oid is distinct from (select e.typarray from pg_type e where e.oid = t.typelem))`,
		props: []sqlProperty{
			{
				"labels",
				"select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = t.oid",
			},
			{"type", "case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end"},
			{"collation", `select t.typcollation::regcollation from pg_type b
			where t.typtype = 'd' and b.oid = t.typbasetype and t.typcollation not in (0, b.typcollation)`},
			{"not null", sqlIs("t.typnotnull", "yes")},
			{"default", "case when t.typdefaultbin is not null then pg_get_expr(t.typdefaultbin, 0) else t.typdefault end"},
			{
				"constraints",
				`select string_agg(quote_ident(conname) || ' ' || pg_get_constraintdef(oid), '; ' order by conname collate "C")
			from pg_constraint where contypid = t.oid and contype = 'c'`,
			},
			{"attributes", `select string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) ||
				case when attcollation <> (select typcollation from pg_type where oid = atttypid) then ' collate '
					|| attcollation::regcollation else '' end,
				', ' order by attnum)
			from pg_attribute where t.typtype = 'c' and attrelid = t.typrelid and attnum > 0 and not attisdropped`},
			{"range", `select concat_ws(', ', 'subtype ' || format_type(rngsubtype, null), 'operator class ' || rngsubopc,
				'collation ' || nullif(rngcollation, 0)::regcollation, 'canonical ' || nullif(rngcanonical, 0)::regproc,
				'difference ' || nullif(rngsubdiff, 0)::regproc, 'multirange ' || format_type(rngmultitypid, null))
			from (select rngsubtype, rngmultitypid, rngcollation, rngcanonical, rngsubdiff,
					(select quote_ident(nspname) || '.' || quote_ident(opcname) from pg_opclass c
						join pg_namespace n on n.oid = opcnamespace
						where c.oid = rngsubopc) as rngsubopc
				from pg_range where rngtypid = t.oid) r`},
			{
				"functions",
				`case when t.typtype not in ('e', 'd', 'c', 'r') then concat_ws(', ', t.typinput, t.typoutput, t.typlen,
					t.typalign, t.typstorage) end`,
			},
			{"owner", sqlRole("t.typowner")},
			{"grants", sqlGrants("t.typacl", "T", "t.typowner")},
		},
	},
}
