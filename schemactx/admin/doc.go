// Package admin sets up a database for package schemactx, makes and removes the schemas and roles
// of tenants, and checks that no privilege breaks the isolation between them.
//
//	cfg := admin.SetupConfig{OwnerPassword: o, RuntimePassword: r}
//	report, err := admin.Setup(ctx, superuser, cfg)
//	...
//	_, err = admin.Provision(ctx, owner, report.Roles, "tenant_2")
//	...
//	findings, err := admin.Check(ctx, pool, admin.CheckConfig{})
//
// # Once per database
//
// [Setup] creates the roles that all tenants share: the owner, which migrates and provisions, and
// the runtime login, which serves requests and has no privileges of its own. An administrator's
// login runs it. [Harden] closes the ways in which a statement can leave its scope; only a
// superuser can run it completely. MANAGED.md is about services that do not give out a superuser.
//
// # Once per tenant
//
// The owner role runs all of these. Each can be run again after a failure.
//
//   - [Provision] creates the schema and the role of a tenant. [ProvisionLogin] also lets the role
//     log in.
//   - [Deprovision] drops the schema and the role. [CheckDependents] finds what would stop it.
//   - [Rename] renames both. [CheckRename] finds texts that hold the old name.
//   - [RevokeAccess] takes the access to its schema from a tenant. [RestoreAccess] gives it back.
//
// # At start-up
//
// [Check] reads the catalogs and reports every privilege, role attribute or object by which a
// tenant can reach what belongs to another. It changes nothing.
//
// # Caveats
//
// Nothing here runs in the scope of a tenant: the functions need a pool or a connection of pgx, and
// not a [schemactx.DB]. Roles belong to the whole server, so that each database needs a prefix of
// its own: see [schemactx.RoleNames].
package admin
