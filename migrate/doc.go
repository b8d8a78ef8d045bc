// Package migrate applies migrations to schemas: to one, or to thousands.
//
//	runner, err := migrate.New(ownerPool, migrate.Config{
//		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
//		Tenant: []migrate.Source{
//			{Name: "erp", FS: erp.Migrations()}, {Name: "wiki", FS: wiki.Files, Base: 1_000_000},
//		},
//	})
//	_, err = runner.Up(ctx, "tenant_7")
//	report, err := runner.UpAll(ctx, tenants.Schemas, migrate.UpAllOptions{})
//
// # Migrations
//
// Migrations are SQL files in the format of goose, <version>_<name>.sql, with the annotations Up,
// Down, StatementBegin, StatementEnd and NO TRANSACTION, or Go functions ([GoMigration]). [New]
// reads the files as goose and PostgreSQL do. Each statement is sent by itself, so that an error
// names it. If a text in a NO TRANSACTION file has several statements, they run in a transaction,
// unless one of them cannot.
//
// New returns a [ParseError] for commands of psql, for the data of COPY, and for statements that
// end the transaction. In the tenant set it also refuses what a database has only once, such as
// extensions, roles and objects with a schema in their name. A SET lasts until the end of its file.
// A SET of the search path or the role is refused, except by SET LOCAL. A SET TRANSACTION before
// the first query is sent directly after BEGIN.
//
// The shared set is for the schema public, see [Config].SharedSchema. The tenant set is for every
// other schema. Several modules may contribute to a set, with different versions, or each with a
// [Source.Base]. Versions below 10,000,000 are numbers and have no gaps within a source; others are
// dates.
//
// # Versions
//
// Each schema has goose's version table, so that the goose CLI agrees on the versions of the
// schema. The tenant's role has no privileges on it. The comment on the table has the checksums of
// the files as they were applied ([Config.Changed]), and which older programs can work with the
// schema ([Source.CompatibleFrom]).
//
// # One schema
//
// A schema with nothing pending costs one query. Otherwise all pending migrations are sent as one
// pipeline of single statements. Each migration is a transaction of its own ([Transactions]). An
// error stops the pipeline and names the statement. What was committed before it stays. A lock per
// schema ([Lock]) keeps other runners off the schema. If a runner was killed, run it again.
// [Runner.PlanUp] shows what would be sent.
//
// Unqualified names mean the schema, or one of [Config.ExtraSearchPath], such as that of an
// extension. The schema public is not on the search path unless that list has it.
//
// # The fleet
//
// [Runner.Fleet] says which of thousands of schemas are behind, and [Runner.UpAll] brings them up
// to date. A few at a time are locked and read again, and their transactions are sent in one
// message. A failure stops no other schema: the [Report] has an [Outcome] for each. Canaries go
// first, a lock that is held delays only its own schema, and tenants that are created during the
// run are migrated, too.
//
// # Drift
//
// The versions say which migrations were run, and not what is in the schema. Package migrate/drift
// compares the structure of schemas with what the migrations create.
package migrate
