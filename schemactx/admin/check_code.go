package admin

// Code names a kind of [Finding]. Codes are stable: a program may act on one.
type Code string

// The codes of [Check], each with what it finds. Unless it says otherwise a code is to be
// refused at Roles and Logins; "any level" is PathOnly as well.
const (
	// CodeServerVersion: the server is older than [MinVersion]. Any level.
	CodeServerVersion Code = "server-version"

	// CodeLoginKind: the pool is logged in as a superuser, the owner or another administrator, and
	// not as the runtime login. It is the first finding, and other findings about that login are
	// left out. Any level.
	CodeLoginKind Code = "login-kind"
	// CodeLoginAttribute: the login is SUPERUSER, BYPASSRLS, CREATEROLE, CREATEDB or
	// REPLICATION, which reads all of the server's WAL. Any level.
	CodeLoginAttribute Code = "login-attribute"
	// CodeLoginName: the pool is not logged in as the runtime login. A warning.
	CodeLoginName Code = "login-name"
	// CodeLoginRole: the session has a role from the start (ALTER ROLE ... SET role), so that
	// what falls out of its scope has that role's rights.
	CodeLoginRole Code = "login-role"
	// CodeLoginOwns: the login owns something. A warning at PathOnly.
	CodeLoginOwns Code = "login-owns"
	// CodeLoginRights: the login has rights on tables or schemas of its own.
	CodeLoginRights Code = "login-rights"
	// CodeLoginInherits: the login has rights by a membership that it inherits.
	CodeLoginInherits Code = "login-inherits"
	// CodeLoginMember: the login is a member of a role that is not for scopes, or may grant one.
	CodeLoginMember Code = "login-member"
	// CodeLoginCreate: the login may create schemas, or objects in one. A warning at PathOnly.
	CodeLoginCreate Code = "login-create"
	// CodeLoginSetConfig: the login may not call set_config, so that no scope begins. Any level.
	CodeLoginSetConfig Code = "login-set-config"

	// CodeTemporary: tenants or the login may make temporary objects, which stay on the
	// connection. A warning at PathOnly.
	CodeTemporary Code = "temporary"
	// CodePublicCreate: PUBLIC may create in a schema or create schemas. Any level.
	CodePublicCreate Code = "public-create"

	// CodeTenantAttribute: a tenant's role has an attribute as in [CodeLoginAttribute].
	CodeTenantAttribute Code = "tenant-attribute"
	// CodeTenantLogin: a tenant's role can log in. Level Roles only.
	CodeTenantLogin Code = "tenant-login"
	// CodeTenantMember: a tenant's role is a member of another role.
	CodeTenantMember Code = "tenant-member"
	// CodeTenantOwns: a tenant's role owns something.
	CodeTenantOwns Code = "tenant-owns"
	// CodeTenantCreate: a tenant's role may create in a schema or create schemas.
	CodeTenantCreate Code = "tenant-create"
	// CodeTenantRights: a tenant's role has rights on a table or column in the schema of another
	// tenant, or default privileges give it rights on what is made there.
	CodeTenantRights Code = "tenant-rights"
	// CodeSchemaShared: PUBLIC or another tenant's role may use a tenant's schema.
	CodeSchemaShared Code = "schema-shared"
	// CodeLargeObject: a tenant's role owns large objects. A warning.
	CodeLargeObject Code = "large-object"

	// CodePathMissing: a schema of ExtraSearchPath does not exist, or a role of a scope may not use
	// it, so that PostgreSQL leaves it out of the path without an error. Any level.
	CodePathMissing Code = "path-missing"
	// CodePathWritable: a tenant's role, the public role, PUBLIC or the login may create in a schema
	// of ExtraSearchPath, or owns it: what is planted there runs for every tenant. Any level.
	CodePathWritable Code = "path-writable"
	// CodePathTenant: a schema of ExtraSearchPath is a tenant's.
	CodePathTenant Code = "path-tenant"
	// CodePathTable: tenants or PUBLIC may change a table in a schema of ExtraSearchPath. A warning.
	CodePathTable Code = "path-table"
	// CodePathType: a column that tenants can reach has a type, or an array, domain, range or
	// composite of one, whose operators are in a schema that is not on the path: citext compares as
	// text does then. A warning, at any level.
	CodePathType Code = "path-type"

	// CodePathRegistry: a schema of ExtraSearchPath is the registry's.
	CodePathRegistry Code = "path-registry"
	// CodeRegistryRights: PUBLIC or a tenant's role has rights on the registry's schema, where that is
	// not public, or on what is in it.
	CodeRegistryRights Code = "registry-rights"

	// CodeTenantLink: a table inherits from a table in another schema, or is a partition of it, and
	// one of the schemas is a tenant's; or its foreign key, rule or trigger leads into the schema
	// of another tenant; or an object such as a default, constraint, index, policy, view, type,
	// function, cast or event trigger uses a function, type, operator or sequence there. PostgreSQL
	// checks no privileges on the schema behind it. A warning at PathOnly.
	CodeTenantLink Code = "tenant-link"
	// CodeDefinerTenant: tenants can call a SECURITY DEFINER function that has the schema of
	// another tenant on its search path or, judged by its text, names it. A warning, at any level.
	CodeDefinerTenant Code = "definer-tenant"
	// CodeForeignData: tenants can use a foreign table, a foreign server or a user mapping. They
	// lead to another database or, if the server is this one, past the privileges here. A warning,
	// at any level.
	CodeForeignData Code = "foreign-data"

	// CodeNotHardened: tenants have a right that [Harden] takes away. A warning, at level
	// Roles only: a tenant that logs in as itself has nobody else to become.
	CodeNotHardened Code = "not-hardened"
	// CodeDefinerPath: tenants can call a SECURITY DEFINER function without a search path of its
	// own. A warning, at any level.
	CodeDefinerPath Code = "definer-path"
	// CodeViewRights: tenants can read a view that reads another schema's tables with its
	// owner's rights, or a view over another tenant's tables that such a view reads. A warning.
	CodeViewRights Code = "view-rights"
	// CodePlanted: a function or operator in a schema that tenants share was made by somebody
	// other than the owner. A warning, at any level.
	CodePlanted Code = "planted"
	// CodeSessionFunction: tenants can call a function that seems to change the session, that takes
	// another role or search path for the transaction, or that runs SQL it is given, judged by its
	// text. A warning, at any level.
	CodeSessionFunction Code = "session-function"
)
