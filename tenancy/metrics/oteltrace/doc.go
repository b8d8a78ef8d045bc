// Package oteltrace makes an OpenTelemetry span of each statement of a tenant, named by what it
// does and with the tenant it does it for. It is a tracer of pgx's, so that it sees scoped
// statements of a schemactx.DB and plain ones alike:
//
//	cfg, err := pgxpool.ParseConfig(url)
//	cfg.ConnConfig.Tracer = oteltrace.New(oteltrace.Config{})
//	pool, err := pgxpool.NewWithConfig(ctx, cfg)
//	db, err := schemactx.New(pool, schemactx.Config{})
//
// A span is made below a span that is being recorded, such as a request's, and nowhere else: what a
// program does by itself, as listening to changes, would fill the traces.
//
// # What leaves the process
//
// Attributes follow OpenTelemetry's semantic conventions for PostgreSQL, and pgtenant.tenant (the
// slug) and pgtenant.schema are there from the start, so that a sampler can go by them. Arguments
// are never part of a span. Nor is the text of an error, in which PostgreSQL quotes values: the
// SQLSTATE is. The text of statements, which may have values of tenants in its literals, is left
// out unless [Config].StatementText asks for it.
//
// That is why this is not a front of github.com/exaring/otelpgx, which is good where there is one
// tenant: it has no option to leave out the texts of errors, and no attributes that depend on the
// context.
//
// It is a module of its own, so that OpenTelemetry reaches only those who want it.
package oteltrace
