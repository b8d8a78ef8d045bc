package oteltrace_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics/oteltrace"
)

// A statement of a tenant's request becomes a child of the request's span and names the tenant. A
// pool takes the tracer in its ConnConfig too.
func ExampleNew() {
	ctx := context.Background()
	pg, done, err := pgtest.Open(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		if err := done(); err != nil {
			fmt.Println(err)
		}
	}()
	spans := tracetest.NewInMemoryExporter() // a program uses its collector's exporter
	provider := trace.NewTracerProvider(trace.WithSyncer(spans))
	cfg, err := pgx.ParseConfig(pg.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.Tracer = oteltrace.New(oteltrace.Config{TracerProvider: provider})
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)

	ctx = tenancy.NewContext(ctx, &tenancy.Tenant{ID: 42, Schema: "tenant_42", Slug: "acme"}) // as the middleware does
	ctx, request := provider.Tracer("app").Start(ctx, "GET /students")
	if _, err := conn.Exec(ctx, "select 'the tenant''s data'"); err != nil {
		fmt.Println(err)
	}
	request.End()
	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name)
		for _, a := range span.Attributes {
			if a.Key == oteltrace.TenantKey || a.Key == oteltrace.SchemaKey || a.Key == "db.operation.name" {
				fmt.Println(" ", a.Key, "=", a.Value.AsString())
			}
		}
	}

	// Output:
	// SELECT
	//   pgtenant.schema = tenant_42
	//   pgtenant.tenant = acme
	//   db.operation.name = SELECT
	// GET /students
}
