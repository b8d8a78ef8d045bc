package admin

import (
	"slices"
	"strings"
)

// kindRules come first. If the pool uses the wrong login, their finding advises to use another one.
// runRules then leaves out what later rules find about that login, because they would advise to
// revoke privileges from the owner or from postgres.
var kindRules = []rule{
	{
		code: CodeLoginKind, roles: Refuse, logins: Refuse, pathOnly: Refuse,
		sql: `select quote_ident(login.rolname), case
				when login.rolsuper then 'a superuser' when login.rolname = config.owner then 'the owner'
					else 'an administrator' end
				|| ', ' || quote_ident(login.rolname) || ', and whatever is left outside of a scope has its rights: '
				|| case when r.oid is null then 'run Setup, which makes the login ' || quote_ident(config.runtime) ||
					', and serve with that'
				else 'serve with the login ' || quote_ident(config.runtime) end
			from config cross join login cross join db left join pg_roles r on r.rolname = config.runtime
			where login.rolname <> config.runtime
				and (login.rolsuper or login.rolcreaterole or login.rolcreatedb or login.oid = db.datdba
					or login.rolname = config.owner)`,
		message: "you are logged in as {detail}",
	},
}

// aboutLogin reports whether a row of the rule advises to change the login or its privileges.
func (r rule) aboutLogin(row [][]byte, login string) bool {
	object, detail := string(row[0]), string(row[1])
	if r.code == CodePathWritable {
		return strings.HasPrefix(detail, login+", the login,")
	}
	ofLogin := slices.ContainsFunc(loginRules, func(l rule) bool { return l.code == r.code })
	return ofLogin && (object == login || detail == login)
}

// loginRules are about the login of the pool, and about the privileges of PUBLIC, which the login
// has too.
var loginRules = []rule{
	{
		code: CodeLoginAttribute, roles: Refuse, logins: Refuse, pathOnly: Refuse,
		sql:     "select quote_ident(rolname), name from attribute join login using (oid, rolname)",
		message: "login {object} has the attribute {detail}: ALTER ROLE {object} NO{detail}, or use the runtime login",
	},
	{
		code: CodeLoginName, roles: Warn, logins: Warn,
		sql:     "select quote_ident(rolname), quote_ident(runtime) from config, login where rolname <> runtime",
		message: "the pool is logged in as {object} and not as the runtime login: use {detail}",
	},
	{
		code:   CodeLoginRole,
		roles:  Refuse,
		logins: Refuse,
		sql:    "select quote_ident(rolname), quote_ident(current_user) from login where rolname <> current_user",
		message: "the sessions of login {object} begin as role {detail}: take the setting of role from the login, " +
			"the database or the pool",
	},
	{
		code: CodeLoginOwns, roles: Refuse, logins: Refuse, pathOnly: Warn,
		sql: `select pg_describe_object(classid, objid, objsubid), quote_ident(rolname)
			from login join pg_shdepend d on refclassid = 'pg_authid'::regclass and refobjid = login.oid and deptype = 'o', db
			where dbid = db.oid or classid = 'pg_database'::regclass and objid = db.oid`,
		message: "{object} belongs to the login {detail}, whom no scope keeps from it: give it to the owner role",
	},
	{
		// Privileges of its own on functions, languages and types do not give access to rows.
		code: CodeLoginRights, roles: Refuse, logins: Refuse,
		sql: `select pg_describe_object(classid, objid, objsubid), quote_ident(rolname)
			from login join pg_shdepend d on refclassid = 'pg_authid'::regclass and refobjid = login.oid and deptype = 'a', db
			where dbid = db.oid and classid not in ('pg_proc'::regclass, 'pg_language'::regclass, 'pg_type'::regclass)`,
		message: "login {detail} has rights of its own on {object}: revoke them and grant them to the role of the scope",
	},
	{
		// A chain of inherited roles begins with a membership of the login itself. Since PostgreSQL 16
		// each membership says whether it inherits.
		code:   CodeLoginInherits,
		roles:  Refuse,
		logins: Refuse,
		sql: `select quote_ident(r.rolname), quote_ident(login.rolname)
			from login join pg_auth_members m on m.member = login.oid join pg_roles r on r.oid = m.roleid
			where coalesce((to_jsonb(m)->>'inherit_option')::boolean, login.rolinherit)`,
		message: "login {detail} has the rights of {object} outside of every scope: GRANT {object} TO {detail} " +
			"WITH INHERIT FALSE, " +
			"or, before PostgreSQL 16, ALTER ROLE {detail} NOINHERIT",
	},
	{
		code:   CodeLoginMember,
		roles:  Refuse,
		logins: Refuse,
		sql: `select quote_ident(r.rolname), quote_ident(login.rolname)
			from login join pg_auth_members m on m.member = login.oid join pg_roles r on r.oid = m.roleid
			where m.admin_option or m.roleid not in (select oid from scope_role)`,
		message: "login {detail} may take or grant the role {object}, which no scope needs: revoke the membership or its " +
			"ADMIN OPTION",
	},
	{
		// CodePublicCreate reports what PUBLIC may create.
		code: CodeLoginCreate, roles: Refuse, logins: Refuse, pathOnly: Warn,
		sql: `select object, quote_ident(rolname) from (
				select format('schema %I', nspname), has_schema_privilege(login.oid, n.oid, 'create'), rolname
				from pg_namespace n, login where nspname !~ '^pg_'
				union all select format('database %I', datname), has_database_privilege(login.oid, db.oid, 'create'), rolname
					from db, login
			) as o(object, may, rolname)
			where may and object not in (select object from creator where grantee = 0)`,
		message: "login {detail} may create in {object}: revoke CREATE",
	},
	{
		code:     CodeLoginSetConfig,
		roles:    Refuse,
		logins:   Refuse,
		pathOnly: Refuse,
		sql: `select quote_ident(rolname), set_config::regprocedure::text from config, login
			where not has_function_privilege(login.oid, set_config, 'execute')`,
		message: "login {object} may not call {detail}, with which every scope begins: grant it, " +
			"or run Harden with the names of these roles",
	},
	{
		code:     CodeTemporary,
		roles:    Refuse,
		logins:   Refuse,
		pathOnly: Warn,
		sql: `select format('database %I', datname), coalesce(quote_ident(r.rolname), 'PUBLIC')
			from login, db, aclexplode(acl) left join pg_roles r on r.oid = grantee
			where privilege_type = 'TEMPORARY' and (grantee = 0 or grantee = login.oid or
				grantee in (select oid from scope_role))`,
		message: "{detail} may make temporary objects, which stay on a connection: REVOKE TEMPORARY ON {object} FROM " +
			"{detail}, as Setup does",
	},
	{
		code: CodePublicCreate, roles: Refuse, logins: Refuse, pathOnly: Refuse,
		sql:     "select object, '' from creator where grantee = 0",
		message: "everybody may create in {object}: REVOKE CREATE ON {object} FROM PUBLIC, as Setup does for public",
	},
}
