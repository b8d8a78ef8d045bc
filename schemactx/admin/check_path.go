package admin

import (
	"github.com/oryne/pgtenant/internal/registrydb"
)

// pathRules are about the schemas that follow the tenant's schema on the path of every scope.
var pathRules = []rule{
	{
		// PostgreSQL leaves a schema out of the path of a role without USAGE, as if it did not exist.
		code: CodePathMissing, roles: Refuse, logins: Refuse, pathOnly: Refuse,
		sql: `select format('schema %I', name), 'does not exist: create it, or have Setup do so'
			from config, unnest(extra) as x(name) where not exists (select from pg_namespace where nspname = name)
			union all
			select format('schema %I', nspname),
				format('is not for %I: GRANT USAGE ON SCHEMA %I TO PUBLIC, as Setup does', r.rolname, nspname)
			from path_schema p, runner r
			where not exists (select from aclexplode(acl) where grantee = 0 and privilege_type = 'USAGE')
				and coalesce(obj_description(p.oid, 'pg_namespace'), '') <> '` + registrydb.SchemaComment + `'
				and not has_schema_privilege(r.oid, p.oid, 'usage')`,
		message: "{object} of the extra search path {detail}; PostgreSQL leaves it out without an error",
	},
	{
		// PostgreSQL prefers an operator whose argument types fit better to that of an extension, and
		// does so for every tenant.
		code:     CodePathWritable,
		roles:    Refuse,
		logins:   Refuse,
		pathOnly: Refuse,
		sql: `select format('schema %I', nspname), 'PUBLIC may create: REVOKE CREATE ON SCHEMA ' || quote_ident(nspname) ||
			' FROM PUBLIC'
			from path_schema, aclexplode(acl) where privilege_type = 'CREATE' and grantee = 0
			union all
			select distinct format('schema %I', nspname),
				format('%I may create: REVOKE CREATE ON SCHEMA %I FROM %1$I', s.rolname, nspname)
			from path_schema, aclexplode(acl), scope_role s where privilege_type = 'CREATE' and s.oid = grantee
			union all
			select format('schema %I', nspname),
				format('%I owns it: ALTER SCHEMA %I OWNER TO the administrator', s.rolname, nspname)
			from path_schema join scope_role s on s.oid = nspowner
			union all
			select format('schema %I', nspname),
				format('%I, the login, may create: revoke that, or use a login that owns nothing', login.rolname)
			from path_schema p, login where (
				has_schema_privilege(login.oid, p.oid, 'create') or
					pg_has_role(login.oid, nspowner, 'member') -- it may take the role
				or exists (select from aclexplode(acl) where privilege_type = 'CREATE' and grantee <> 0
					and pg_has_role(login.oid, grantee, 'member'))
			) and not exists (select from aclexplode(acl) where privilege_type = 'CREATE'
				and grantee in (select 0 union all select oid from scope_role))
				and nspowner not in (select oid from scope_role)`,
		message: "in {object}, which is on the search path of every tenant, {detail}",
	},
	{
		code:   CodePathTenant,
		roles:  Refuse,
		logins: Refuse,
		sql:    "select format('schema %I', nspname), quote_ident(rolname) from tenant, config where nspname = any (extra)",
		message: "{object} is a tenant's, of role {detail}, and on the search path of every other: take it from " +
			"ExtraSearchPath",
	},
	{
		code:   CodePathTable,
		roles:  Warn,
		logins: Warn,
		sql: `select format('table %I.%I', nspname, relname),
			string_agg(distinct coalesce(quote_ident(s.rolname), 'PUBLIC'), ', ')
			from path_schema p join pg_class c on c.relnamespace = p.oid and relkind in ('r', 'p', 'v', 'f'), config,
				aclexplode(relacl) left join scope_role s on s.oid = grantee
			where privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
				and (grantee = 0 or s.rolname <> config.public)
			group by 1`,
		message: "{object}, which every tenant finds by its name alone, can be changed by {detail}: leave SELECT, " +
			"or name it with its schema",
	},
	{
		// The query goes from the types to the columns, through arrays, domains, ranges and composites of
		// the types. pg_depend has an index that begins with the referenced object, so columns of other
		// types cost nothing, whatever their number.
		code:     CodePathType,
		roles:    Warn,
		logins:   Warn,
		pathOnly: Warn,
		sql: `with recursive hidden as (
				select distinct t.oid, t.typnamespace from config, pg_operator o join pg_namespace n on n.oid = o.oprnamespace,
					unnest(array[oprleft, oprright]) as operand join pg_type t on t.oid = operand
				where n.nspname <> 'pg_catalog' and n.nspname <> all (extra) and t.typnamespace = o.oprnamespace
			), used (root, namespace, oid) as (
				select oid, typnamespace, oid from hidden
				union
				select root, namespace, coalesce(c.reltype, d.objid)
				from used join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid = used.oid
				left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid and c.relkind = 'c'
				where d.classid = 'pg_type'::regclass or c.oid is not null
			)
			select 'type ' || format_type(root, null),
				count(*) || case when count(*) = 1 then ' column, ' else ' columns, as ' end
					|| min(format('%I.%I.%I', s.nspname, c.relname, a.attname))
			from used join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid = used.oid
				and d.classid = 'pg_class'::regclass and d.objsubid > 0
			join pg_class c on c.oid = d.objid and c.relkind in ('r', 'p', 'f', 'm') and c.relnamespace <> namespace
			join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid
			join open_schema s on s.oid = c.relnamespace
			group by root`,
		message: "{object} is that of {detail}, and the schema of its operators is not on the search path: a comparison " +
			"may find no row, " +
			"without an error. Add that schema to ExtraSearchPath",
	},
}
