package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// AssertIsolated runs fn for a, and then for b, and fails the test if one run touches the other tenant's tables or
// sequences. fn gets a context that names the tenant, and may do anything: statements, requests by the tenant's
// client, jobs. Its error fails the test as well.
//
// While fn runs, every table of the other tenant is locked against everybody. A statement that would read or
// write one has to wait, whatever way it came to it: a qualified name, a view, a function with other rights, a connection
// that has the wrong search path. Who waits is seen, named by its table, and let go. For that, fn must not use the other tenant on purpose.
func (e *Environment) AssertIsolated(tb testing.TB, a, b *Tenant, fn func(ctx context.Context, t *Tenant) error) {
	tb.Helper()
	for _, pair := range [][2]*Tenant{{a, b}, {b, a}} {
		touched, err := e.trespass(tb.Context(), pair[0], pair[1], fn)
		if err != nil {
			tb.Errorf("for %s: %v", pair[0].Slug, err)
		}
		if len(touched) > 0 {
			tb.Errorf("not isolated: what runs for %s touches %s of %s", pair[0].Slug, strings.Join(touched, ", "), pair[1].Slug)
		}
	}
}

// trespass runs fn for one tenant and returns what of the other one it touched.
func (e *Environment) trespass(ctx context.Context, of, other *Tenant, fn func(context.Context, *Tenant) error) ([]string, error) {
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
	go func() { done <- fn(of.Context(), of) }()
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

// fence is a transaction that holds locks on all tables of a schema.
type fence struct {
	env *Environment
	tx  pgx.Tx
	pid uint32
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
	tx, err := e.Owner.Begin(ctx)
	if err != nil {
		return nil, err
	}
	f := &fence{env: e, tx: tx, pid: tx.Conn().PgConn().PID()}
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

// watchInterval is how often the server is asked who waits. Who does not wait is not held up by it.
const watchInterval = 5 * time.Millisecond

// watch returns the tables that somebody waited for until done says how the work ended. At the first of them it opens
// the fence, so that the work can end.
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
	rows, err := f.env.Owner.Query(ctx, `select distinct 'table ' || c.relname from pg_locks l join pg_class c on c.oid = l.relation
		where not l.granted and $1::int = any(pg_blocking_pids(l.pid))`, int32(f.pid))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// open gives up the locks. It can be called again.
func (f *fence) open(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetTimeout)
	defer cancel()
	_ = f.tx.Rollback(ctx) // whose error is that it is over already, or that the connection is, and the locks with it
}
