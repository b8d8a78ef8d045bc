// Package migrate brings schemas up to date: one, or thousands.
//
//	runner, err := migrate.New(ownerPool, migrate.Config{
//		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
//		Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}, {Name: "wiki", FS: wiki.Files, Base: 1_000_000}},
//	})
//	_, err = runner.Up(ctx, "public")
//	_, err = runner.Up(ctx, "tenant_7")
//	report, err := runner.UpAll(ctx, tenants.Schemas, migrate.UpAllOptions{})
//
// # Migrations
//
// Migrations are SQL files in the format of goose, <version>_<name>.sql, with the annotations Up,
// Down, StatementBegin, StatementEnd and NO TRANSACTION, or functions ([GoMigration]). [New] reads
// them as goose and PostgreSQL do. goose sends a text of several statements as one message; this
// package sends each by itself, so that an error names it, and Citus takes it. Several statements
// of one text in a NO TRANSACTION file run in a transaction, as with goose, unless one of them
// cannot, such as CREATE INDEX CONCURRENTLY.
//
// New refuses, with a [ParseError], what is no SQL (psql's commands, the data of COPY), what would
// end the transaction, and in the tenant set what a database has once: extensions, roles, schemas,
// objects with a schema in their name. What a file SETs lasts until its end; the search path and
// the role stay those of the schema, except by SET LOCAL. A SET TRANSACTION before the first query
// is sent right behind BEGIN. A byte order mark at the start of a file is left out; the goose CLI
// refuses it.
//
// There are two sets: the shared one for the schema public, see [Config].SharedSchema, and the
// tenant one for every other. Several modules may contribute to a set, with different versions, or
// each with a [Source.Base]. Versions below 10,000,000 are numbers and have no gaps within a
// source; others are dates.
//
// # Versions
//
// Each schema has goose's version table, always addressed by its qualified name, so that the goose
// CLI agrees on any one schema. The tenant's role has no rights on it. The comment on the table
// keeps checksums of the files as they were applied ([Config.Changed]), and which older programs
// can work with the schema ([Source.CompatibleFrom]).
//
// # One schema
//
// Nothing pending costs one query. Otherwise all pending migrations go out as one pipeline of
// single statements, in two round trips. Each migration is a transaction of its own
// ([Transactions]); an error stops the pipeline, names the statement, and leaves what was committed
// before it. Functions run in the transaction of their migration, between two pipelines. Migrations
// with NO TRANSACTION run by themselves, see [Runner.Up]. Each begins with the settings of its
// schema, and nothing that it sets outlives it, for the next file, schema or user of the pool. A
// lock per schema ([Lock]) keeps runners apart; a runner that was killed is simply run again.
// [Runner.PlanUp] shows what would be sent.
//
// Unqualified names mean the schema, or something in one of [Config.ExtraSearchPath], such as an
// extension: public is not on the search path of a tenant's migration unless it is named there. A
// schema that does not exist is [ErrSchemaMissing].
//
// # The fleet
//
// [Runner.Fleet] says which of thousands of schemas are behind, [Runner.UpAll] brings them up to
// date: a few at a time are locked and looked at again, and their transactions go out in one
// message. A failure stops no other schema: the [Report] has an [Outcome] for each. Canaries go
// first, a lock that is held makes only its own schema late, tenants made meanwhile are migrated
// too, and a run that was killed is simply run again.
//
// # Drift
//
// A version says what was run, not what is in the schema. Package migrate/drift compares the
// structure of schemas with what the migrations make.
package migrate
