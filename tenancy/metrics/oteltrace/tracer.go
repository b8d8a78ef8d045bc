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

// The attributes that are not OpenTelemetry's.
const (
	TenantKey = attribute.Key("pgtenant.tenant") // the slug; not there outside of a tenant's request
	SchemaKey = attribute.Key("pgtenant.schema") // of the scope, also "public"; not there outside of a scope
)

// Config says what spans have. The zero value is ready.
type Config struct {
	// TracerProvider makes the spans. Default: the global one, when New is called.
	TracerProvider trace.TracerProvider

	// StatementText adds db.query.text, the statement as the program wrote it, without its arguments.
	// It holds tenants' data where a program writes values into its SQL. Default: false.
	StatementText bool
}

// Tracer is a tracer of pgx's. It is safe for concurrent use.
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

// New returns a tracer.
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

// start begins a span below that of ctx, if that is being recorded.
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
			namespace += "|" + schema // as the conventions for PostgreSQL have it
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

// end ends the span that start has put into ctx, if it did.
func (t *Tracer) end(ctx context.Context, err error) {
	if span, ok := ctx.Value(contextKey{}).(trace.Span); ok {
		fail(span, err)
		span.End()
	}
}

// fail says of a span that it failed, and how, without the text of the error.
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
