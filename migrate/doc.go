// Package migrate brings schemas up to date: one, or thousands.
//
//	runner, err := migrate.New(ownerPool, migrate.Config{
//		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
//		Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}},
//	})
//	_, err = runner.Up(ctx, "public")
//	_, err = runner.Up(ctx, "tenant_7")
//	report, err := runner.UpAll(ctx, schemas, migrate.UpAllOptions{})
//
// # Files
//
// Migrations are SQL files in the format of goose, <version>_<name>.sql, with the
// annotations Up, Down, StatementBegin, StatementEnd and NO TRANSACTION. A statement ends
// with a line that ends in a semicolon; anything else stands between StatementBegin and
// StatementEnd. There are two sets: the shared one for the schema public, and the tenant
// one for every other. Several modules may contribute to a set, with different versions.
//
// # Versions
//
// Each schema has goose's version table, always addressed by its qualified name, so that
// the goose CLI agrees on any one schema and a schema carries its version with it. The
// tenant's role has no rights on it.
//
// # One schema
//
// Nothing pending costs one query. Otherwise all pending migrations go out as one pipeline
// of single statements between BEGIN and COMMIT: one round trip, all or nothing, and an
// error names the statement. Migrations with NO TRANSACTION run by themselves. An advisory
// lock per schema keeps runners apart; a runner that was killed is simply run again.
//
// Unqualified names mean the schema and nothing else: public is not on the search path of
// a tenant's migration. A schema that does not exist is [ErrSchemaMissing].
package migrate
