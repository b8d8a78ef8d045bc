package modeltest

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// errPanic is the value with which callbacks panic.
var errPanic = errors.New("panic of a callback")

// panicPlaces are the places at which a callback can panic.
var panicPlaces = []string{
	"ScopeStart", "ScopeEnd", "StatementEnd", "StatementFailure", "TraceQueryStart", "TraceQueryEnd", "TraceBatchStart",
	"TraceBatchQuery",
	"TraceBatchEnd", "TraceCopyFromStart", "TraceCopyFromEnd", "TracePrepareStart", "TracePrepareEnd",
	"rewriter", "Valuer", "batch callback", "copy source", "scan", "closure",
}

// at panics if the step has chosen this place.
func (m *model) at(place string) {
	if m.panicAt == place {
		m.panicAt, m.panicDone = "", true
		panic(errPanic)
	}
}

func (m *model) hooks() schemactx.Hooks {
	return schemactx.Hooks{
		ScopeStart: func(_ context.Context, d schemactx.ScopeStart) {
			m.entered = append(m.entered, d.PID)
			m.at("ScopeStart")
		},
		ScopeEnd: func(_ context.Context, d schemactx.ScopeEnd) {
			m.left = append(m.left, d.PID)
			m.at("ScopeEnd")
		},
		StatementEnd:     func(context.Context, schemactx.StatementEnd) { m.at("StatementEnd") },
		StatementFailure: func(context.Context, schemactx.StatementFailure) { m.at("StatementFailure") },
	}
}

// tracer implements all interfaces of a pgx tracer.
type tracer struct{ m *model }

func (t tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	t.m.at("TraceQueryStart")
	return ctx
}

func (t tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	t.m.at("TraceQueryEnd")
}

func (t tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	t.m.at("TraceBatchStart")
	return ctx
}

func (t tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {
	t.m.at("TraceBatchQuery")
}

func (t tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {
	t.m.at("TraceBatchEnd")
}

func (t tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	t.m.at("TraceCopyFromStart")
	return ctx
}

func (t tracer) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {
	t.m.at("TraceCopyFromEnd")
}

func (t tracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	t.m.at("TracePrepareStart")
	return ctx
}

func (t tracer) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {
	t.m.at("TracePrepareEnd")
}

// RewriteQuery implements pgx.QueryRewriter.
func (m *model) RewriteQuery(_ context.Context, _ *pgx.Conn, sql string, args []any) (string, []any, error) {
	m.at("rewriter")
	return sql, args, nil
}

// value is an argument that implements driver.Valuer, and a target of Scan.
type value struct {
	m *model
	n int64
}

// Value implements driver.Valuer.
func (v value) Value() (driver.Value, error) {
	v.m.at("Valuer")
	return v.n, nil
}

// Scan implements sql.Scanner.
func (v *value) Scan(any) error {
	v.m.at("scan")
	return nil
}

// source provides the rows of a copy.
type source struct {
	m      *model
	ids    []int64
	next   int
	cancel bool // cancel the step's context before the last row
	fail   error
}

// Next implements pgx.CopyFromSource.
func (s *source) Next() bool {
	s.next++
	return s.next <= len(s.ids)
}

// Values implements pgx.CopyFromSource.
func (s *source) Values() ([]any, error) {
	if s.next == len(s.ids) {
		s.m.at("copy source")
		if s.cancel {
			s.m.cancelled = true
			s.m.cancel()
		}
		if s.fail != nil {
			return nil, s.fail
		}
	}
	return []any{value{s.m, s.ids[s.next-1]}}, nil
}

// Err implements pgx.CopyFromSource.
func (s *source) Err() error { return nil }
