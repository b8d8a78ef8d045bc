package admin

// tenantRules are about the roles that scopes take: the roles of tenants and the public role.
var tenantRules = []rule{
	{
		code: CodeTenantAttribute, roles: Refuse, logins: Refuse,
		sql:     "select quote_ident(rolname), name from attribute where oid in (select oid from scope_role)",
		message: "role {object} has the attribute {detail}: ALTER ROLE {object} NO{detail}",
	},
	{
		code:  CodeTenantLogin,
		roles: Refuse,
		sql:   "select quote_ident(rolname), '' from scope_role where rolcanlogin",
		message: "role {object} can log in, past the program: ALTER ROLE {object} NOLOGIN, " +
			"or use a level at which it logs in",
	},
	{
		// The owner and the login are members of thousands of roles, so the query excludes them first.
		code: CodeTenantMember, roles: Refuse, logins: Refuse,
		sql: `with m as materialized (
				select * from pg_auth_members
				where member <> all (array(select r.oid from pg_roles r, config where rolname in (config.owner, session_user)))
			)
			select quote_ident(s.rolname), quote_ident(r.rolname)
			from m join scope_role s on s.oid = m.member join pg_roles r on r.oid = m.roleid`,
		message: "role {object} is a member of {detail}, so that its scope reaches further: REVOKE {detail} FROM {object}",
	},
	{
		code: CodeTenantOwns, roles: Refuse, logins: Refuse,
		sql: `select pg_describe_object(classid, objid, objsubid), quote_ident(s.rolname)
			from scope_role s join pg_shdepend d on refclassid = 'pg_authid'::regclass and refobjid = s.oid and deptype = 'o', db
			where dbid = db.oid and classid <> 'pg_largeobject'::regclass or classid = 'pg_database'::regclass
				and objid = db.oid`,
		message: "{object} belongs to {detail}, who can grant it to others and alter it: give it to the owner role",
	},
	{
		code: CodeTenantCreate, roles: Refuse, logins: Refuse,
		sql:     "select object, quote_ident(s.rolname) from creator join scope_role s on s.oid = grantee",
		message: "role {detail} may create in {object}: REVOKE CREATE ON {object} FROM {detail}",
	},
	{
		code: CodeTenantRights, roles: Refuse, logins: Refuse,
		sql: `select distinct format('table %I.%I', nspname, relname), quote_ident(s.rolname)
			from scope_role s join pg_shdepend d on refclassid = 'pg_authid'::regclass and refobjid = s.oid and deptype = 'a'
				and classid = 'pg_class'::regclass and dbid = (select oid from db)
			join pg_class c on c.oid = objid join tenant t on t.oid = relnamespace
			where t.role <> s.oid`,
		message: "role {detail} has rights on {object} of another tenant: revoke them",
	},
	{
		// Default privileges apply to tables, sequences and schemas that are created later.
		code: CodeTenantRights, roles: Refuse, logins: Refuse,
		sql: `select distinct 'default privileges of ' || quote_ident(pg_get_userbyid(defaclrole))
				|| coalesce(' in schema ' || quote_ident(t.nspname), ''), quote_ident(s.rolname)
			from pg_default_acl left join tenant t on t.oid = defaclnamespace, aclexplode(defaclacl) join scope_role s
				on s.oid = grantee
			where defaclobjtype in ('r', 'S', 'n') and (defaclnamespace = 0 or t.role <> s.oid)`,
		message: "{object} give role {detail} rights on what is made in the schemas of other tenants: " +
			"ALTER DEFAULT PRIVILEGES ... REVOKE ALL ... FROM {detail}",
	},
	{
		code:   CodeSchemaShared,
		roles:  Refuse,
		logins: Refuse,
		sql: `select distinct format('schema %I', nspname), coalesce(quote_ident(s.rolname), 'PUBLIC')
			from tenant t, aclexplode(nspacl) left join scope_role s on s.oid = grantee
			where grantee = 0 or s.oid <> t.role`,
		message: "{detail} has rights on {object} of a tenant: REVOKE ALL ON {object} FROM {detail}, " +
			"as Provision does for PUBLIC",
	},
	{
		code:   CodeLargeObject,
		roles:  Warn,
		logins: Warn,
		sql: `select quote_ident(s.rolname), count(*)::text
			from scope_role s join pg_shdepend d on refclassid = 'pg_authid'::regclass and refobjid = s.oid and deptype = 'o'
				and classid = 'pg_largeobject'::regclass and dbid = (select oid from db)
			group by 1`,
		message: "role {object} owns {detail} large objects, which are in no schema: unlink them, " +
			"or give them to the owner role",
	},
}
