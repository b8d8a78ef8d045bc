// Package oteltrace makes an OpenTelemetry span for each statement of a tenant. The span is named
// after the operation and has the tenant as an attribute. It is a pgx tracer, so it sees scoped
// statements of a schemactx.DB and also plain ones:
//
//	cfg, err := pgxpool.ParseConfig(url)
//	cfg.ConnConfig.Tracer = oteltrace.New(oteltrace.Config{})
//	pool, err := pgxpool.NewWithConfig(ctx, cfg)
//	db, err := schemactx.New(pool, schemactx.Config{})
//
// A span is made only as the child of a span that is being recorded, such as that of a request.
// Otherwise the statements that a program runs by itself, such as LISTEN, would fill the traces.
//
// # What leaves the process
//
// Attributes follow OpenTelemetry's semantic conventions for PostgreSQL. The attributes
// pgtenant.tenant (the slug) and pgtenant.schema are set when the span starts, so that a sampler
// can use them. Arguments are never part of a span. The text of an error is not part of it either,
// because PostgreSQL quotes values in it; the SQLSTATE is. The text of a statement may have values
// of tenants in its literals. It is left out unless [Config].StatementText is set.
//
// For these reasons the package does not use github.com/exaring/otelpgx, which suits programs with
// one tenant: it has no option to leave out the texts of errors, and no attributes that depend on
// the context.
//
// The package is a separate module, so that only programs that use it depend on OpenTelemetry.
package oteltrace
