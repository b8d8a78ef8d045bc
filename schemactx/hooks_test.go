package schemactx_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// journal records the calls of hooks and tracers in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

// take returns what was recorded since the last call.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer func() { j.lines = nil }()
	return strings.Join(j.lines, "; ")
}

func (j *journal) hooks() schemactx.Hooks {
	return schemactx.Hooks{
		ScopeStart: func(_ context.Context, d schemactx.ScopeStart) { j.note("entered %s", d.Schema) },
		ScopeEnd:   func(_ context.Context, d schemactx.ScopeEnd) { j.note("left %s %t", d.Schema, d.Closed) },
		SchemaSwitch: func(_ context.Context, d schemactx.SchemaSwitch) {
			j.note("switched %s from %q in %s", d.Schema, d.From, d.Func[strings.LastIndex(d.Func, ".")+1:])
			if !strings.HasSuffix(d.File, "hooks_test.go") || d.Line == 0 {
				j.note("at %s:%d", d.File, d.Line)
			}
		},
		StatementFailure: func(_ context.Context, d schemactx.StatementFailure) {
			j.note("failed %s %q %v", d.Schema, d.SQL, d.Err != nil)
		},
	}
}

func expectJournal(t *testing.T, j *journal, want string) {
	t.Helper()
	got := j.take()
	assert.Equal(t, want, got, "told %s\nwant", got)
}

func TestHooks(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var j journal
	db := f.open(t, schemactx.Config{Hooks: j.hooks()}, 1)
	expectNote(t, in(t, "tenant_a"), db, "tenant_a")
	expectJournal(t, &j, "entered tenant_a; left tenant_a false")

	_, err := db.Exec(in(t, "tenant_a"), "select 1/0")
	expectState(t, err, "22012")
	expectJournal(t, &j, `entered tenant_a; failed tenant_a "select 1/0" true; left tenant_a false`)

	nested(t, db)
	expectJournal(
		t,
		&j,
		`switched tenant_b from "tenant_a" in nested; entered tenant_b; left tenant_b false; `+
			`entered tenant_b; left tenant_b false`,
	)

	ctx := in(t, "tenant_a")
	require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error {
		expectNote(t, ctx, tx, "tenant_a")
		return insertNote(ctx, tx)
	}))
	expectJournal(t, &j, "entered tenant_a; left tenant_a false")

	err = db.InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "select set_config('search_path', 'tenant_b', true)")
		if err == nil {
			_, err = tx.Exec(ctx, "select 1")
		}
		return err
	})
	assert.ErrorIs(t, err, schemactx.ErrScopeChanged)
	got := j.take()
	assert.True(t, strings.HasSuffix(got, "left tenant_a true"), "told %s", got)
}

func nested(t *testing.T, db *schemactx.DB) {
	t.Helper()
	require.NoError(t, schemactx.WithSchema(in(t, "tenant_a"), "tenant_b", func(ctx context.Context) error {
		expectNote(t, ctx, db, "tenant_b")
		expectNote(t, ctx, db, "tenant_b")
		return nil
	}))
}

func TestStats(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, schema := range []string{"tenant_a", "tenant_b", "tenant_a", "tenant_a"} {
		expectNote(t, in(t, schema), f.db, schema)
	}
	got, want := f.db.Stats(), (schemactx.Stats{Switches: 3, Hits: 2, Misses: 2})
	assert.Equal(t, want, got, "stats")
}

// tracer records all calls of a pgx tracer.
type tracer struct{ *journal }

func (tr tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	tr.note("query %s %v", d.SQL, d.Args)
	return ctx
}

func (tr tracer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceQueryEndData) {
	tr.note("end %s %t", d.CommandTag, d.Err != nil)
}

func (tr tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	tr.note("batch %d", d.Batch.Len())
	return ctx
}

func (tr tracer) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	tr.note("batch query %s %v %s %t", d.SQL, d.Args, d.CommandTag, d.Err != nil)
}

func (tr tracer) TraceBatchEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchEndData) {
	tr.note("batch end %t", d.Err != nil)
}

func (tr tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceCopyFromStartData) context.Context {
	tr.note("copy %v %v", d.TableName, d.ColumnNames)
	return ctx
}

func (tr tracer) TraceCopyFromEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceCopyFromEndData) {
	tr.note("copy end %s %t", d.CommandTag, d.Err != nil)
}

func (tr tracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, d pgx.TracePrepareStartData) context.Context {
	tr.note("prepare %s", d.SQL)
	return ctx
}

func (tr tracer) TracePrepareEnd(_ context.Context, _ *pgx.Conn, d pgx.TracePrepareEndData) {
	tr.note("prepare end %t", d.Err != nil)
}

// The tracer gets the same calls from plain pgx, without a schema, and from a DB.
func TestTracersSeeStatementsOfTenantsAsPlainOnes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var plain, scoped journal
	owner := tracedConfig(t, f.pg.URLAs(f.roles.Owner(), ownerPassword), &plain)
	owner.ConnConfig.RuntimeParams["search_path"] = "tenant_a"
	pool, err := pgxpool.NewWithConfig(t.Context(), owner)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	db := f.openWith(t, tracedConfig(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), &scoped), schemactx.Config{})
	type surface interface {
		batchSender
		querier
		CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
	}
	ctx := in(t, "tenant_a")
	for name, run := range map[string]func(s surface){
		"query":       func(s surface) { expectNote(t, ctx, s, "tenant_a") },
		"query again": func(s surface) { expectNote(t, ctx, s, "tenant_a") },
		"error":       func(s surface) { _ = s.QueryRow(ctx, "select 1/$1::int", 0).Scan(new(int)) },
		"batch": func(s surface) {
			b := &pgx.Batch{}
			b.Queue("select id from notes where id = $1", 1)
			b.Queue("select body from notes")
			require.NoError(t, s.SendBatch(ctx, b).Close())
		},
		"copy": func(s surface) {
			_, err := s.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id", "body"}, rowsOf())
			require.NoError(t, err)
		},
	} {
		run(pool)
		run(db)
		want, got := plain.take(), scoped.take()
		assert.Equal(t, want, got, "%s: told %s\nplain pgx tells %s", name, got, want)
	}
}

func tracedConfig(t *testing.T, url string, j *journal) *pgxpool.Config {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.MaxConns = 1
	cfg.ConnConfig.Tracer = tracer{j}
	return cfg
}

// ScopeEnd describes the unit of work that ended, although another one may use its connection
// already.
func TestScopeEndHookOfManyGoroutines(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{Hooks: schemactx.Hooks{ScopeEnd: func(_ context.Context, d schemactx.ScopeEnd) {
		assert.False(t, d.Closed, "told %+v", d)
		assert.NotZero(t, d.PID, "told %+v", d)
	}}}, 1)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			schema := []string{"tenant_a", "tenant_b"}[i%2]
			for range 20 {
				expectNote(t, in(t, schema), db, schema)
			}
		})
	}
	wg.Wait()
}

func TestStatementFailureHookSeesFailedCommits(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create table tenant_a.later (id int unique deferrable initially deferred)")
	var j journal
	db := f.open(t, schemactx.Config{Hooks: schemactx.Hooks{StatementFailure: j.hooks().StatementFailure}}, 1)
	ctx := in(t, "tenant_a")
	expectState(t, db.InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into later values (1), (1)")
		return err
	}), "23505")
	expectJournal(t, &j, `failed tenant_a "commit" true`)
}

func TestStatementEndHookCountsEveryStatement(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var j journal
	db := f.open(
		t,
		schemactx.Config{Hooks: schemactx.Hooks{StatementEnd: func(_ context.Context, d schemactx.StatementEnd) {
			j.note("ran %s %d %t", d.Schema, d.Statements, d.Err == nil)
		}}},
		1,
	)
	ctx := in(t, "tenant_a")
	expectNote(t, ctx, db, "tenant_a")
	expectJournal(t, &j, "ran tenant_a 1 true")

	_, err := db.Exec(ctx, "select 1/0")
	expectState(t, err, "22012")
	expectJournal(t, &j, "ran tenant_a 1 false")

	b := &pgx.Batch{}
	b.Queue("select 1")
	b.Queue("select 2")
	require.NoError(t, db.SendBatch(ctx, b).Close())
	expectJournal(t, &j, "ran tenant_a 2 true")

	_, err = db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id", "body"}, rowsOf())
	require.NoError(t, err)
	expectJournal(t, &j, "ran tenant_a 1 true")

	require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error {
		expectNote(t, ctx, tx, "tenant_a")
		expectNote(t, ctx, tx, "tenant_a")
		return nil
	}))
	expectJournal(t, &j, "ran tenant_a 1 true; ran tenant_a 1 true")
}

// Each ScopeStart has exactly one ScopeEnd, even if a hook panics, so a count of the connections in
// use returns to zero.
func TestEveryScopeStartHasOneScopeEnd(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, panics := range []string{"switched", "entered", "failed", "ran"} {
		entered, left := 0, 0
		hook := func(name string) {
			if name == panics {
				panic(name)
			}
		}
		db := f.open(t, schemactx.Config{Hooks: schemactx.Hooks{
			SchemaSwitch: func(context.Context, schemactx.SchemaSwitch) { hook("switched") },
			ScopeStart: func(_ context.Context, d schemactx.ScopeStart) {
				entered++
				assert.Positive(t, d.Waited, "waited")
				hook("entered")
			},
			ScopeEnd: func(ctx context.Context, _ schemactx.ScopeEnd) {
				left++
				assert.True(t, ctx != nil, "left without a context")
			},
			StatementFailure: func(context.Context, schemactx.StatementFailure) { hook("failed") },
			StatementEnd:     func(context.Context, schemactx.StatementEnd) { hook("ran") },
		}}, 1)
		func() {
			defer func() {
				assert.Equal(t, panics, recover(), "recovered")
			}()
			_ = schemactx.WithSchema(t.Context(), "tenant_a", func(ctx context.Context) error {
				_, err := db.Exec(ctx, "select 1/0")
				return err
			})
		}()
		assert.Equal(t, left, entered, "%s panics: entered %d times, left %d times", panics, entered, left)
	}
}
