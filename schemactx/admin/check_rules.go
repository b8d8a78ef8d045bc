package admin

import (
	"strconv"

	"github.com/oryne/pgtenant/schemactx"
)

// rule is a query that finds the problems of one code.
type rule struct {
	code Code

	// The severity at each level; 0 if the rule does not apply at it.
	roles, logins, pathOnly Severity

	// sql selects two texts, the object and a detail, from the common table expressions of rulesSQL.
	// It does not sort, so LIMIT can end the query early.
	sql string

	// message is the sentence of the finding. {object} and {detail} in it are replaced.
	message string
}

func (r rule) severity(level schemactx.Level) Severity {
	switch level {
	case schemactx.Roles:
		return r.roles
	case schemactx.PathOnly:
		return r.pathOnly
	}
	return r.logins
}

// functionObject is the SQL expression that names the function of a row of pg_proc.
const functionObject = "format('function %s.%I(%s)', pronamespace::regnamespace, proname, " +
	"pg_get_function_identity_arguments(oid))"

// rulesSQL is the WITH clause before the query of every rule. PostgreSQL does not execute a common
// table expression that a rule does not use. Its only parameter is the one of ruleParams. It
// computes the name of a tenant's role as [schemactx.RoleNames.Tenant] does.
const rulesSQL = `
with config as (
	select c->>'prefix' as prefix, (c->>'owner')::name as owner, (c->>'runtime')::name as runtime, (c->>'public')::name
		as public,
		array(select json_array_elements_text(c->'shared'))::name[] as shared,
		array(select json_array_elements_text(c->'extra'))::name[] as extra, (c->>'path_only')::boolean as path_only,
		array(select json_array_elements_text(c->'closed'))::regprocedure[]::oid[] as closed,
		(c->>'set_config')::regprocedure::oid as set_config
	from (select $1::json) as p(c)
), db as (
	select oid, datname, datdba, coalesce(datacl, acldefault('d', datdba)) as acl
	from pg_database where datname = current_database()
), login as (
	select * from pg_roles where rolname = session_user
), scope_role as ( -- what a scope may take: the public role and those of tenants
	select r.* from config, pg_roles r
	where r.rolname = config.public
		or starts_with(r.rolname::text, prefix || '__')
		or starts_with(r.rolname::text, prefix || '_x_') and substr(r.rolname::text, length(prefix) + 4) ~ '^[0-9a-f]{32}$'
), runner as ( -- whom statements run as
	select login.oid, login.rolname from config, login where path_only
	union all select s.oid, s.rolname from config, scope_role s where not path_only
), path_schema as ( -- what follows the tenant's schema on the path of every scope
	select n.oid, nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner)) as acl from config, pg_namespace n
		where nspname = any (extra)
), tenant as ( -- provisioned schemas
	select n.oid, n.nspname, n.nspowner, n.nspacl, r.oid as role, r.rolname
	from (
		select n.*, case when length(prefix) + 2 + length(nspname) <= 63 then prefix || '__' || nspname
			else prefix || '_x_' || left(encode(sha256(convert_to(nspname::text, 'UTF8')), 'hex'), 32) end as role
		from config, pg_namespace n where nspname ~ '^[a-z_][a-z0-9_]*$'
	) n join scope_role r on r.rolname = n.role::name
), open_schema as materialized ( -- schemas that a tenant, or the login, can look into
	select n.oid, n.nspname from pg_namespace n
	where nspname !~ '^pg_' and nspname <> 'information_schema' and n.oid in (
		select n.oid from pg_namespace n, login where has_schema_privilege(login.oid, n.oid, 'usage')
		union all
		select n.oid from pg_namespace n, aclexplode(nspacl) join scope_role s on s.oid = grantee
			where privilege_type = 'USAGE')
), open_function as ( -- functions there that a tenant, or the login, can call; without an ACL everybody can
	select p.*, exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = p.oid and deptype = 'e')
		as of_extension
	from pg_proc p
	where pronamespace in (select oid from open_schema) and (proacl is null or prorettype = 'trigger'::regtype
		or p.oid in (
		select p.oid from pg_proc p, aclexplode(proacl) where privilege_type = 'EXECUTE'
			and (grantee = 0 or grantee in (select oid from login union all select oid from scope_role))))
), creator as ( -- who may create where
	select object, owner, grantee from (
		select format('schema %I', nspname), nspowner, coalesce(nspacl, acldefault('n', nspowner)) from pg_namespace
		union all select format('database %I', datname), datdba, acl from db
	) as o(object, owner, acl), aclexplode(acl) where privilege_type = 'CREATE'
), attribute as (
	select oid, rolname, name from pg_roles, lateral (values ('SUPERUSER', rolsuper), ('BYPASSRLS', rolbypassrls),
		('CREATEROLE', rolcreaterole), ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication)) a(name, has) where has
)
`

// statement returns the SQL of a rule. It returns at most limit rows: the object, the detail and
// the number of all rows.
func (r rule) statement(limit int) string {
	return rulesSQL + "select object, detail, count(*) over () from (" + r.sql + ") as found(object, detail) " +
		"limit " + strconv.Itoa(limit)
}
