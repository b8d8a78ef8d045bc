package oteltrace

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// The attributes that OpenTelemetry does not define.
const (
	TenantKey = attribute.Key("pgtenant.tenant") // the slug; missing outside of a tenant's request
	SchemaKey = attribute.Key("pgtenant.schema") // "public" or a tenant's; missing without a scope
)

// Config says what spans contain. The zero value is valid.
type Config struct {
	// TracerProvider makes the spans. Default: the global provider at the time of the call of New.
	TracerProvider trace.TracerProvider

	// StatementText adds db.query.text, the statement as the program wrote it, without its arguments.
	// It contains tenants' data if a program writes values into its SQL. Default: false.
	StatementText bool
}

// Tracer is a pgx tracer for queries, batches, copies and PREPARE. It is safe for concurrent use.
type Tracer struct {
	tracer trace.Tracer
	text   bool
}

var (
	_ pgx.QueryTracer    = (*Tracer)(nil)
	_ pgx.BatchTracer    = (*Tracer)(nil)
	_ pgx.CopyFromTracer = (*Tracer)(nil)
	_ pgx.PrepareTracer  = (*Tracer)(nil)
)

// New returns a tracer with the configuration.
func New(cfg Config) *Tracer {
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = otel.GetTracerProvider()
	}
	return &Tracer{
		tracer: cfg.TracerProvider.Tracer(
			"github.com/oryne/pgtenant/tenancy/metrics/oteltrace",
			trace.WithSchemaURL(semconv.SchemaURL),
		),
		text: cfg.StatementText,
	}
}

type contextKey struct{}

// start starts a child of the span in ctx, if that span is being recorded, and returns ctx with the
// child.
func (t *Tracer) start(
	ctx context.Context,
	conn *pgx.Conn,
	name, sql string,
	more ...attribute.KeyValue,
) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	attrs := append(t.attributes(ctx, conn, sql), more...)
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	return context.WithValue(ctx, contextKey{}, span)
}

func (t *Tracer) attributes(ctx context.Context, conn *pgx.Conn, sql string) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 12)
	attrs = append(attrs, semconv.DBSystemNamePostgreSQL)
	schema, scoped := schemactx.FromContext(ctx)
	if scoped {
		attrs = append(attrs, SchemaKey.String(schema))
	}
	if tenant, ok := tenancy.FromContext(ctx); ok {
		attrs = append(attrs, TenantKey.String(tenant.Slug))
	}
	if conn != nil {
		cfg := conn.Config()
		namespace := cfg.Database
		if scoped {
			namespace += "|" + schema // database|schema, by the conventions for PostgreSQL
		}
		attrs = append(
			attrs,
			semconv.DBNamespace(namespace),
			semconv.ServerAddress(cfg.Host),
			semconv.ServerPort(int(cfg.Port)),
		)
	}
	if t.text && sql != "" {
		attrs = append(attrs, semconv.DBQueryText(sql))
	}
	return attrs
}

// end ends the span that start has put into ctx, if there is one.
func (t *Tracer) end(ctx context.Context, err error) {
	if span, ok := ctx.Value(contextKey{}).(trace.Span); ok {
		fail(span, err)
		span.End()
	}
}

// fail sets the status of a span to an error, without the text of the error.
func fail(span trace.Span, err error) {
	if err == nil {
		return
	}
	kind := fmt.Sprintf("%T", err)
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr):
		kind = pgErr.Code
		span.SetAttributes(semconv.DBResponseStatusCode(pgErr.Code))
	case errors.Is(err, context.Canceled):
		kind = "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		kind = "timeout"
	}
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	span.SetStatus(codes.Error, kind)
}
