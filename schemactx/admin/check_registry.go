package admin

import (
	"github.com/oryne/pgtenant/internal/registrydb"
)

// registrySchemaSQL selects the schemas that Init of package tenancy has marked with a comment.
const registrySchemaSQL = `select oid, nspname, nspacl from pg_namespace
	where obj_description(oid, 'pg_namespace') = '` + registrydb.SchemaComment + `'`

// registryRules are about the registry's schema, if it is not public. Programs share public with
// their tenants, so there the privileges of each table decide.
var registryRules = []rule{
	{
		code:     CodePathRegistry,
		roles:    Refuse,
		logins:   Refuse,
		pathOnly: Refuse,
		sql: "select format('schema %I', nspname), '' from (" + registrySchemaSQL + ") as n, config where nspname = " +
			"any (extra)",
		message: "{object} is the registry's, and on the search path of every tenant: take it from ExtraSearchPath",
	},
	{
		code: CodeRegistryRights, roles: Refuse, logins: Refuse,
		sql: `with registry as (` + registrySchemaSQL + `), granted as (
				select format('schema %I', nspname) as object, a.grantee from registry, aclexplode(nspacl) as a
				union all
				select format('%s %I.%I', case relkind when 'S' then 'sequence' else 'table' end, nspname, relname), a.grantee
				from registry n join pg_class c on relnamespace = n.oid, aclexplode(relacl) as a
				union all
				select format('table %I.%I', nspname, relname), a.grantee
				from registry n join pg_class c on relnamespace = n.oid join pg_attribute on attrelid = c.oid, aclexplode(attacl)
					as a
			)
			select distinct object, coalesce(quote_ident(s.rolname), 'PUBLIC')
			from config, granted left join scope_role s on s.oid = grantee where grantee = 0 or s.rolname <> config.public`,
		message: "{detail} has rights on {object} of the registry: REVOKE ALL ON {object} FROM {detail}",
	},
}
