package oteltrace

import (
	"context"

	"github.com/jackc/pgx/v5"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// TraceQueryStart implements [pgx.QueryTracer].
func (t *Tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	op := operation(data.SQL)
	return t.start(ctx, conn, op, data.SQL, semconv.DBOperationName(op))
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (t *Tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t.end(ctx, data.Err)
}

// TraceBatchStart implements [pgx.BatchTracer].
func (t *Tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	return t.start(
		ctx,
		conn,
		"BATCH",
		"",
		semconv.DBOperationName("BATCH"),
		semconv.DBOperationBatchSize(data.Batch.Len()),
	)
}

// TraceBatchQuery implements [pgx.BatchTracer]. A statement of a batch is a child span of the
// batch's. It starts when pgx begins to read its result, because the start on the server is not
// known.
func (t *Tracer) TraceBatchQuery(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	if _, ok := ctx.Value(contextKey{}).(trace.Span); !ok {
		return
	}
	op := operation(data.SQL)
	opts := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(append(t.attributes(ctx, conn, data.SQL), semconv.DBOperationName(op))...),
	}
	if !data.ReadStartTime.IsZero() {
		opts = append(opts, trace.WithTimestamp(data.ReadStartTime))
	}
	_, span := t.tracer.Start(ctx, op, opts...)
	fail(span, data.Err)
	span.End()
}

// TraceBatchEnd implements [pgx.BatchTracer].
func (t *Tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	t.end(ctx, data.Err)
}

// TraceCopyFromStart implements [pgx.CopyFromTracer].
func (t *Tracer) TraceCopyFromStart(
	ctx context.Context,
	conn *pgx.Conn,
	data pgx.TraceCopyFromStartData,
) context.Context {
	table := ""
	if n := len(data.TableName); n > 0 {
		table = data.TableName[n-1]
	}
	return t.start(ctx, conn, "COPY "+table, "", semconv.DBOperationName("COPY"), semconv.DBCollectionName(table))
}

// TraceCopyFromEnd implements [pgx.CopyFromTracer].
func (t *Tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	t.end(ctx, data.Err)
}

// TracePrepareStart implements [pgx.PrepareTracer].
func (t *Tracer) TracePrepareStart(
	ctx context.Context,
	conn *pgx.Conn,
	data pgx.TracePrepareStartData,
) context.Context {
	return t.start(ctx, conn, "PREPARE "+operation(data.SQL), data.SQL, semconv.DBOperationName("PREPARE"))
}

// TracePrepareEnd implements [pgx.PrepareTracer].
func (t *Tracer) TracePrepareEnd(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareEndData) {
	t.end(ctx, data.Err)
}
