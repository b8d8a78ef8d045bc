package drift

import (
	"fmt"
	"slices"
	"strings"
)

// part is one kind of object in the query: where its rows come from, and the properties that are
// read.
type part struct {
	kind     string // SQL
	table    string // SQL; "": of no table
	name     string // SQL
	from     string
	position string // SQL; "": none
	list     string // the property that is a list of names, such as a search_path
	props    []sqlProperty
}

// sqlProperty is an SQL expression. Null and the empty string mean that the property has its
// default.
type sqlProperty struct{ name, sql string }

// parts are all that is read of a schema.
var parts = slices.Concat(schemaParts, typeParts, tableParts, relationParts, routineParts, otherParts)

// structureSQL reads the structures of the schemas $1, whose tenants have the roles $2. It returns
// the number of the schema in $1 from 1, the index in parts, kind, table, name, position, and the
// values of the properties.
//
// It finds the objects of a schema through pg_depend, because no index of pg_class begins with the
// schema. From there it uses indexes only, one schema after the other, so that the cost of a schema
// does not depend on the number of others. [planSettings] keep the planner to that.
var structureSQL = buildStructureSQL()

func buildStructureSQL() string {
	var b strings.Builder
	b.WriteString(`select s.n::int, o.* from (
	select want.n, ns.oid, ns.nspowner, ns.nspacl, t.oid as tenant, (select oid from pg_roles
		where rolname = current_user) as me
	from unnest($1::text[], $2::text[]) with ordinality as want(schema, role, n)
	join pg_namespace ns on ns.nspname = want.schema::name
	left join pg_roles t on t.rolname = want.role::name
	offset 0
) as s cross join lateral (
	with own as materialized (
		select d.classid, d.objid from pg_depend d
		where d.refclassid = 'pg_namespace'::regclass and d.refobjid = s.oid and d.objsubid = 0
		and not exists (select from pg_depend e where e.classid = d.classid and e.objid = d.objid
			and (e.deptype = 'e' or e.deptype = 'i' and e.classid = 'pg_proc'::regclass))
	),
	rel as materialized (
		select c.*, quote_ident(c.relname) as q from own join pg_class c on c.oid = own.objid
			where own.classid = 'pg_class'::regclass
	)
`)
	for i, p := range parts {
		if i > 0 {
			b.WriteString("\tunion all\n")
		}
		values := make([]string, len(p.props))
		for j, prop := range p.props {
			values[j] = "coalesce((" + prop.sql + ")::text, '')"
		}
		fmt.Fprintf(&b, "\tselect %d, (%s)::text, (%s)::text, (%s)::text, (%s)::int, array[%s]::text[] from %s\n",
			i, p.kind, orElse(p.table, "''"), p.name, orElse(p.position, "0"), strings.Join(values, ", "), p.from)
	}
	b.WriteString(") as o")
	return b.String()
}

func orElse(sql, otherwise string) string {
	if sql == "" {
		return otherwise
	}
	return sql
}

// planSettings are set for the transaction that reads. With only pg_catalog on the search path,
// every other name is written with its schema. The planner's estimates for large or empty
// catalogs must not make it leave the indexes, or compile a query that takes milliseconds.
const planSettings = `select set_config('search_path', 'pg_catalog', true), set_config('jit', 'off', true),
	set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
		set_config('enable_mergejoin', 'off', true),
	set_config('max_parallel_workers_per_gather', '0', true), set_config('lock_timeout', $1, true),
	set_config('quote_all_identifiers', 'off', true)`

// sqlRole returns the name of the role with an OID. A quoted name never looks like a placeholder.
func sqlRole(oid string) string {
	return "case " + oid + " when 0 then 'PUBLIC' when s.tenant then '{tenant}' when s.me then '{owner}'" +
		" when s.nspowner then '{owner}' " +
		"else quote_ident(pg_get_userbyid(" + oid + ")) end"
}

// sqlGrants returns the privileges per role, sorted and without grantors. The result is the same
// whether the default privileges are stored or not. The owner of the object is {owner}; the
// property "owner" names it. A star is the grant option.
func sqlGrants(acl, defaults, owner string) string {
	if defaults != "" {
		acl = "coalesce(" + acl + ", acldefault('" + defaults + "', " + owner + "))"
	}
	return `select string_agg(who || '=' || what, ' ' order by who collate "C") from (
			select case when a.grantee = ` + owner + ` then '{owner}' else ` + sqlRole("a.grantee") + ` end as who,
				string_agg(distinct privilege_type || case when is_grantable then '*' else '' end, ',') as what
			from aclexplode(` + acl + `) a group by 1) g`
}

// sqlOptions returns a list of options, sorted.
func sqlOptions(options string) string {
	return `select string_agg(x, ', ' order by x collate "C") from unnest(` + options + `) x`
}

// sqlIs returns a word if a condition holds, or else null.
func sqlIs(condition, word string) string {
	return "case when " + condition + " then '" + word + "' end"
}

var schemaParts = []part{
	{
		kind: "'schema'", name: "''", from: "(select) x",
		props: []sqlProperty{
			{
				"owner",
				"case s.nspowner when s.tenant then '{tenant}' when s.me then '{owner}'" +
					" else quote_ident(pg_get_userbyid(s.nspowner)) end",
			},
			{"grants", sqlGrants("s.nspacl", "n", "s.nspowner")},
		},
	},
	{
		kind: "'default privileges'",
		from: "own join pg_default_acl p on p.oid = own.objid where own.classid = 'pg_default_acl'::regclass",
		name: "'for ' || case p.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' " +
			"when 'T' then 'types' else p.defaclobjtype::text end || ' of ' || " + sqlRole("p.defaclrole"),
		props: []sqlProperty{{"grants", sqlGrants("p.defaclacl", "", "p.defaclrole")}},
	},
	{
		kind: "'extension'", name: "quote_ident(x.extname)",
		from: "own join pg_extension x on x.oid = own.objid where own.classid = 'pg_extension'::regclass",
		props: []sqlProperty{
			{"version", "x.extversion"},
			{"owner", sqlRole("x.extowner")},
		},
	},
}
