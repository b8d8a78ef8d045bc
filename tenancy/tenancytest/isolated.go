package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// AssertIsolated runs fn for a and then for b, and fails the test if a run accesses the other
// tenant's tables or sequences. fn gets a context with the tenant and may run statements, requests
// by the tenant's client, or jobs. An error of fn also fails the test. fn runs in its own goroutine
// and may call Fatal or Skip; AssertIsolated repeats its panic.
//
// While fn runs, every table of the other tenant is locked exclusively. A statement that reads or
// writes one has to wait, whichever way it takes: a qualified name, a view, a function with other
// privileges, or a connection with the wrong search path. The wait is detected and reported with
// the table, and the lock is released. So fn must not use the other tenant on purpose.
func (e *Environment) AssertIsolated(tb testing.TB, a, b *Tenant, fn func(ctx context.Context, t *Tenant) error) {
	tb.Helper()
	for _, pair := range [][2]*Tenant{{a, b}, {b, a}} {
		touched, err := e.foreignAccess(tb.Context(), pair[0], pair[1], fn)
		over := (*unfinished)(nil)
		if err != nil && !errors.As(err, &over) {
			tb.Errorf("for %s: %v", pair[0].Slug, err)
		}
		if len(touched) > 0 {
			tb.Errorf("not isolated: the function for %s accessed %s of %s",
				pair[0].Slug, strings.Join(touched, ", "), pair[1].Slug)
		}
		switch {
		case over == nil:
		case over.value != nil:
			panic(fmt.Sprintf("%v\n\nin the function for %s:\n%s", over.value, pair[0].Slug, over.stack))
		case tb.Skipped():
			tb.SkipNow()
		default: // by Fatal, which ends a test only in the test's own goroutine
			tb.FailNow()
		}
	}
}

// unfinished is the outcome of a function that did not return.
type unfinished struct {
	value any // what it panicked with; nil: [runtime.Goexit], which Fatal is
	stack []byte
}

func (*unfinished) Error() string { return "the function has not returned" }

// finish runs fn and returns its outcome, also after a panic or Goexit.
func finish(fn func() error, done chan<- error) {
	err := error(&unfinished{})
	defer func() {
		if value := recover(); value != nil {
			err = &unfinished{value: value, stack: debug.Stack()}
		}
		done <- err
	}()
	err = fn()
}

// foreignAccess runs fn for one tenant and returns the tables of the other tenant that it accessed.
func (e *Environment) foreignAccess(
	ctx context.Context,
	of, other *Tenant,
	fn func(context.Context, *Tenant) error,
) ([]string, error) {
	before, err := readSequences(ctx, e.Owner, other.Schema)
	if err != nil {
		return nil, err
	}
	fence, err := e.lock(ctx, other.Schema)
	if err != nil {
		return nil, err
	}
	defer fence.open(ctx)
	done := make(chan error, 1)
	go finish(func() error { return fn(of.Context(), of) }, done)
	touched, err := fence.watch(ctx, done)
	after, seqErr := readSequences(ctx, e.Owner, other.Schema)
	if seqErr != nil {
		return touched, seqErr
	}
	for _, s := range after {
		if !slices.Contains(before, s) {
			touched = append(touched, "sequence "+s.name)
		}
	}
	return touched, err
}

// fence is a transaction that holds locks on all tables of a schema. Its connection is taken out of
// the pool. Otherwise parallel tests could hold all connections of the pool as fences, and their
// work would wait for a connection forever.
type fence struct {
	conn *pgx.Conn
	tx   pgx.Tx
}

func (e *Environment) lock(ctx context.Context, schema string) (*fence, error) {
	tables, err := readTables(ctx, e.Owner, schema)
	if err != nil {
		return nil, err
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("schema %q has no table that a tenant can write to", schema)
	}
	quoted, err := schemactx.QuoteName(schema)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = quoted + "." + pgx.Identifier{t.name}.Sanitize()
	}
	pooled, err := e.Owner.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	f := &fence{conn: pooled.Hijack()}
	tx, err := f.conn.Begin(ctx)
	if err != nil {
		f.open(ctx)
		return nil, err
	}
	f.tx = tx
	if _, err := tx.Exec(ctx, "set local lock_timeout = '"+lockTimeout+"'"); err != nil {
		f.open(ctx)
		return nil, err
	}
	if _, err := tx.Exec(ctx, "lock table "+strings.Join(names, ", ")+" in access exclusive mode"); err != nil {
		f.open(ctx)
		return nil, fmt.Errorf("lock the tables of schema %q: %w", schema, err)
	}
	return f, nil
}

// watchInterval is the time between queries for waiting sessions. It does not delay a session that
// does not wait.
const watchInterval = 5 * time.Millisecond

// watch returns the tables for which a session waited before done reports the end of the work. It
// opens the fence at the first one, so that the work can end.
func (f *fence) watch(ctx context.Context, done <-chan error) ([]string, error) {
	tick := time.NewTicker(watchInterval) // PostgreSQL has no signal for it
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return nil, err
		case <-tick.C:
		}
		touched, err := f.waiting(ctx)
		if err == nil && len(touched) == 0 {
			continue
		}
		f.open(ctx)
		return touched, errors.Join(err, <-done)
	}
}

func (f *fence) waiting(ctx context.Context) ([]string, error) {
	rows, err := f.tx.Query(
		ctx,
		`select distinct 'table ' || c.relname from pg_locks l join pg_class c on c.oid = l.relation
		where not l.granted and pg_backend_pid() = any(pg_blocking_pids(l.pid))`,
	)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// open releases the locks. It can be called repeatedly.
func (f *fence) open(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetTimeout)
	defer cancel()
	_ = f.conn.Close(ctx) // and the transaction with it. Its error is that it is closed already, or broken
}
