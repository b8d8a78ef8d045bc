package admin

// Code names a kind of [Finding]. Codes are stable: a program may act on one.
type Code string

// The codes of [Check]. Each comment says what the code finds. Its severity is Refuse at the levels
// Roles and Logins, unless the comment says otherwise. "Any level" includes PathOnly.
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
	// CodeLoginRole: the session begins with another role (ALTER ROLE ... SET role), so a statement
	// outside of a scope has that role's privileges.
	CodeLoginRole Code = "login-role"
	// CodeLoginOwns: the login owns an object. A warning at PathOnly.
	CodeLoginOwns Code = "login-owns"
	// CodeLoginRights: the login itself has privileges on tables or schemas.
	CodeLoginRights Code = "login-rights"
	// CodeLoginInherits: the login inherits the privileges of a role that it is a member of.
	CodeLoginInherits Code = "login-inherits"
	// CodeLoginMember: the login is a member of a role that no scope uses, or has ADMIN OPTION on a
	// role.
	CodeLoginMember Code = "login-member"
	// CodeLoginCreate: the login may create schemas, or objects in one. A warning at PathOnly.
	CodeLoginCreate Code = "login-create"
	// CodeLoginSetConfig: the login may not call set_config, so no scope can begin. Any level.
	CodeLoginSetConfig Code = "login-set-config"

	// CodeTemporary: tenants or the login may create temporary objects, which stay on the connection.
	// A warning at PathOnly.
	CodeTemporary Code = "temporary"
	// CodePublicCreate: PUBLIC may create schemas, or objects in a schema. Any level.
	CodePublicCreate Code = "public-create"

	// CodeTenantAttribute: a tenant's role has an attribute that [CodeLoginAttribute] names.
	CodeTenantAttribute Code = "tenant-attribute"
	// CodeTenantLogin: a tenant's role can log in. Level Roles only.
	CodeTenantLogin Code = "tenant-login"
	// CodeTenantMember: a tenant's role is a member of another role.
	CodeTenantMember Code = "tenant-member"
	// CodeTenantOwns: a tenant's role owns an object.
	CodeTenantOwns Code = "tenant-owns"
	// CodeTenantCreate: a tenant's role may create schemas, or objects in a schema.
	CodeTenantCreate Code = "tenant-create"
	// CodeTenantRights: a tenant's role has privileges on a table or column in the schema of another
	// tenant, or default privileges give it privileges on objects that are created there.
	CodeTenantRights Code = "tenant-rights"
	// CodeSchemaShared: PUBLIC or another tenant's role may use a tenant's schema.
	CodeSchemaShared Code = "schema-shared"
	// CodeLargeObject: a tenant's role owns large objects. A warning.
	CodeLargeObject Code = "large-object"

	// CodePathMissing: a schema of ExtraSearchPath does not exist, or a role of a scope may not use
	// it. PostgreSQL then leaves it out of the path without an error. Any level.
	CodePathMissing Code = "path-missing"
	// CodePathWritable: a tenant's role, the public role, PUBLIC or the login may create in a schema
	// of ExtraSearchPath, or owns it. A function or operator that such a role creates there runs for
	// every tenant. Any level.
	CodePathWritable Code = "path-writable"
	// CodePathTenant: a schema of ExtraSearchPath is a tenant's.
	CodePathTenant Code = "path-tenant"
	// CodePathTable: tenants or PUBLIC may change a table in a schema of ExtraSearchPath. A warning.
	CodePathTable Code = "path-table"
	// CodePathType: a column that tenants can reach has a type whose operators are in a schema that is
	// not on the path. For example, citext then compares as text. An array, domain, range or composite
	// of such a type counts too. A warning, at any level.
	CodePathType Code = "path-type"

	// CodePathRegistry: a schema of ExtraSearchPath is the registry's.
	CodePathRegistry Code = "path-registry"
	// CodeRegistryRights: the registry's schema is not public, and PUBLIC or a tenant's role has
	// privileges on it or on objects in it.
	CodeRegistryRights Code = "registry-rights"

	// CodeTenantLink: an object in one schema leads into the schema of another tenant. It is a table
	// that inherits from a table in another schema or is a partition of it, where one of the two
	// schemas is a tenant's. It is a foreign key, rule or trigger of a table. Or it is an object such
	// as a default, constraint, index, policy, view, type, function, cast or event trigger that uses a
	// function, type, operator or sequence there. PostgreSQL does not check the privileges on the
	// schema that is reached in this way. A warning at PathOnly.
	CodeTenantLink Code = "tenant-link"
	// CodeDefinerTenant: tenants can call a SECURITY DEFINER function that has the schema of
	// another tenant on its search path or, judged by its text, names it. A warning, at any level.
	CodeDefinerTenant Code = "definer-tenant"
	// CodeForeignData: tenants can use a foreign table, a foreign server or a user mapping. These lead
	// to another database. If the server is this one, they bypass the privileges of this database. A
	// warning, at any level.
	CodeForeignData Code = "foreign-data"

	// CodeNotHardened: tenants have a privilege that [Harden] revokes. A warning, at level Roles only:
	// a tenant that logs in as its own role can take no other role.
	CodeNotHardened Code = "not-hardened"
	// CodeDefinerPath: tenants can call a SECURITY DEFINER function without a search path of its
	// own. A warning, at any level.
	CodeDefinerPath Code = "definer-path"
	// CodeViewRights: tenants can read a view that reads another schema's tables with its owner's
	// privileges, or a view over another tenant's tables that such a view reads. A warning.
	CodeViewRights Code = "view-rights"
	// CodePlanted: a function or operator in a schema that tenants share was created by a role that is
	// neither a superuser, the owner nor the owner of the database. A warning, at any level.
	CodePlanted Code = "planted"
	// CodeSessionFunction: tenants can call a function that seems to change the session, to take
	// another role or search path for the transaction, or to run SQL that it is given. The function's
	// text is what is judged. A warning, at any level.
	CodeSessionFunction Code = "session-function"
)
