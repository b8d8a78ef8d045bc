package schemactx_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// outcome is the result of a statement for the caller: its tag, or the SQLSTATE of its error.
func outcome(tag pgconn.CommandTag, err error) string {
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr):
		return pgErr.Code
	case err != nil:
		return err.Error()
	}
	return tag.String()
}

// plain runs the steps in a transaction of pgx in schema tenant_b; scoped runs them in a
// transaction of the DB in tenant_a. A step with several statements, separated by '|', is a batch.
// Both return the outcome of each step and the committed rows.
func (f *fixture) plain(t *testing.T, steps []string) (outcomes []string) {
	t.Helper()
	tx, err := f.owner.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "set local search_path = tenant_b")
	require.NoError(t, err)
	return runSteps(t.Context(), t, tx, steps, func() []string { return f.committed(t, "tenant_b") })
}

func (f *fixture) scoped(t *testing.T, steps []string) (outcomes []string) {
	t.Helper()
	tx := f.begin(t)
	return runSteps(in(t, "tenant_a"), t, tx, steps, func() []string { return f.committed(t, "tenant_a") })
}

func runSteps(
	ctx context.Context,
	t *testing.T,
	tx pgx.Tx,
	steps []string,
	committed func() []string,
) (outcomes []string) {
	t.Helper()
	for _, step := range steps {
		statements := strings.Split(step, "|")
		if len(statements) == 1 {
			outcomes = append(outcomes, outcome(tx.Exec(ctx, step, pgx.QueryExecModeExec)))
			continue
		}
		b := &pgx.Batch{}
		for _, sql := range statements {
			b.Queue(sql)
		}
		br := tx.SendBatch(ctx, b)
		for range statements {
			tag, err := br.Exec()
			outcomes = append(outcomes, outcome(tag, err))
			if err != nil {
				break
			}
		}
		_ = br.Close()
	}
	if err := tx.Commit(ctx); err != nil {
		require.ErrorIs(t, err, pgx.ErrTxCommitRollback)
		outcomes = append(outcomes, "rolled back")
	}
	return append(outcomes, committed()...)
}

// committed returns the rows of the schema's table and deletes them.
func (f *fixture) committed(t *testing.T, schema string) []string {
	t.Helper()
	rows, err := f.owner.Query(t.Context(), fmt.Sprintf("delete from %s.steps returning n::text", schema))
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	slices.Sort(list)
	return list
}

func savepointFixture(t *testing.T) *fixture {
	t.Helper()
	f := setup(t)
	f.exec(t, "create table tenant_a.steps (n int); create table tenant_b.steps (n int)")
	// In this mode pgx runs plain statements so that it can send a batch in a failed transaction.
	cfg := f.owner.Config()
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	f.owner = openPoolWith(t, cfg)
	return f
}

// Savepoint statements as programs send them have the same results as on a plain connection.
func TestSavepointStatements(t *testing.T) {
	t.Parallel()
	f := savepointFixture(t)
	for name, steps := range map[string][]string{
		"gorm": {
			"insert into steps values (1)", "SAVEPOINT sp1", "insert into steps values (2)", "ROLLBACK TO SAVEPOINT sp1",
			"insert into steps values (3)", "SAVEPOINT sp0x140003b2a80", "insert into steps values (4)",
		},
		"first":         {"SAVEPOINT a", "insert into steps values (1)", "ROLLBACK TO a", "insert into steps values (2)"},
		"nothing in it": {"SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "insert into steps values (1)"},
		"after an error": {
			"SAVEPOINT a", "select 1/0", "insert into steps values (1)", "ROLLBACK TO SAVEPOINT a",
			"insert into steps values (2)",
		},
		"error in the text": {
			"insert into steps values (0)", "SAVEPOINT a", "selekt", "ROLLBACK TO SAVEPOINT a", "insert into steps values (2)",
		},
		"released": {
			"SAVEPOINT a", "insert into steps values (1)", "RELEASE SAVEPOINT a", "ROLLBACK TO SAVEPOINT a", "select 1",
		},
		"released at once": {"SAVEPOINT a", "RELEASE a", "ROLLBACK TO a"},
		"takes along":      {"SAVEPOINT a", "SAVEPOINT b", "insert into steps values (1)", "RELEASE a", "ROLLBACK TO b"},
		"takes back":       {"SAVEPOINT a", "insert into steps values (1)", "SAVEPOINT b", "ROLLBACK TO a", "ROLLBACK TO b"},
		"twice": {
			"SAVEPOINT a", "insert into steps values (1)", "SAVEPOINT a", "insert into steps values (2)", "ROLLBACK TO a",
			"RELEASE a", "insert into steps values (3)", "ROLLBACK TO a", "insert into steps values (4)",
		},
		"rolled back to twice": {
			"SAVEPOINT a", "insert into steps values (1)", "ROLLBACK TO a", "insert into steps values (2)", "ROLLBACK TO a",
		},
		"forms": {
			"savepoint a", "insert into steps values (1)", "rollback work to savepoint a", "Rollback Transaction To A",
			"release a",
			"SAVEPOINT /* one */ a -- two\n;", ";; insert into steps values (2)", "/* x */ ROLLBACK TO SAVEPOINT a ; ;",
			"RELEASE SAVEPOINT\ta",
		},
		"quoted": {
			`SAVEPOINT "A b"`, "insert into steps values (1)", `ROLLBACK TO SAVEPOINT "A b"`, `SAVEPOINT "q""q"`,
			`ROLLBACK TO "q""q"`,
			`SAVEPOINT "_jdbc_savepoint_0"`, "select 1", `RELEASE SAVEPOINT "_jdbc_savepoint_0"`, `ROLLBACK TO "a b"`,
		},
		"upper case is folded": {
			"SAVEPOINT MySp", "insert into steps values (1)", `ROLLBACK TO "mysp"`, `ROLLBACK TO "MySp"`,
		},
		"savepoint savepoint": {
			"SAVEPOINT savepoint", "insert into steps values (1)", "ROLLBACK TO savepoint", "RELEASE SAVEPOINT savepoint",
		},
		"too long": {
			"SAVEPOINT " + strings.Repeat("x", 70), "select 1", "ROLLBACK TO " + strings.Repeat("x", 65),
		},
		"names of ours": {
			"SAVEPOINT pgtenant_2", "insert into steps values (1)", "ROLLBACK TO pgtenant_2", "ROLLBACK TO pgtenant_1",
		},
		"missing": {
			"insert into steps values (1)", "SAVEPOINT a", "ROLLBACK TO b", "insert into steps values (2)", "ROLLBACK TO a",
			"insert into steps values (3)",
		},
		"missing, released": {"SAVEPOINT a", "RELEASE b", "ROLLBACK TO a", "RELEASE a"},
		"missing, first":    {"ROLLBACK TO b", "select 1", "SAVEPOINT a", "RELEASE b"},
		"in a failed one": {
			"SAVEPOINT a", "select 1/0", "SAVEPOINT b", "RELEASE a", "ROLLBACK TO b", "ROLLBACK TO a", "select 1",
		},
		"batch": {
			"insert into steps values (1)|SAVEPOINT a|insert into steps values (2)|ROLLBACK TO a|insert into steps values " +
				"(3)|RELEASE a",
		},
		"batch that fails": {
			"SAVEPOINT a|insert into steps values (2)|select 1/0|RELEASE a", "ROLLBACK TO a", "insert into steps values (3)",
		},
		"batch that recovers": {
			"SAVEPOINT a", "select 1/0", "ROLLBACK TO a|insert into steps values (3)|SAVEPOINT b", "select 1/0", "ROLLBACK TO b",
		},
		"batch, missing": {
			"SAVEPOINT a|SAVEPOINT b|RELEASE a|ROLLBACK TO b|insert into steps values (3)", "ROLLBACK TO a",
		},
		"batch, none": {"SAVEPOINT b", "select 1/0|SAVEPOINT a", "ROLLBACK TO a", "ROLLBACK TO b"},
		"batch, twice": {
			"SAVEPOINT a|insert into steps values (1)|SAVEPOINT a|insert into steps values (2)|ROLLBACK TO a|RELEASE " +
				"a|ROLLBACK TO a",
		},
	} {
		want, got := f.plain(t, steps), f.scoped(t, steps)
		assert.Equal(t, want, got, "%s: %q", name, steps)
		expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
	}
	assert.Zero(t, f.db.Stats().Destroyed)
}

// The results are also the same in a transaction in which a statement might have changed the scope
// but did not.
func TestSavepointStatementsWhereTheScopeIsAsserted(t *testing.T) {
	t.Parallel()
	f := savepointFixture(t)
	for _, steps := range [][]string{
		{"SAVEPOINT a", "ROLLBACK TO b", "ROLLBACK TO b", "RELEASE b", "ROLLBACK TO a", "insert into steps values (1)"},
		{"SAVEPOINT a", "select 1/0", "ROLLBACK TO b", "SAVEPOINT b", "ROLLBACK TO a", "insert into steps values (1)"},
		{
			"SAVEPOINT a", "select 1/0", "ROLLBACK TO b|ROLLBACK TO a", "selekt", "ROLLBACK TO a",
			"insert into steps values (1)",
		},
		{"SAVEPOINT a", "select 1/0", "selekt", "ROLLBACK TO a|insert into steps values (1)", "ROLLBACK TO b"},
		{"SAVEPOINT a", "selekt|select 1", "select 1|ROLLBACK TO a", "ROLLBACK TO a", "RELEASE a", "ROLLBACK TO a"},
	} {
		steps = append([]string{"insert into steps values (0)", "select set_config('work_mem', '1MB', true)"}, steps...)
		assert.Equal(t, f.plain(t, steps), f.scoped(t, steps), "%q", steps)
	}
	assert.Zero(t, f.db.Stats().Destroyed)
}

// In any order, savepoint statements have the same results as on a plain connection.
func TestSavepointStatementsInAnyOrder(t *testing.T) {
	t.Parallel()
	f := savepointFixture(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	names := []string{"a", "B", `"b"`, `"B"`, "pgtenant_1"}
	step := func() string {
		name := names[random.IntN(len(names))]
		switch random.IntN(6) {
		case 0, 1:
			return "SAVEPOINT " + name
		case 2, 3:
			return "ROLLBACK TO " + name
		case 4:
			return "RELEASE " + name
		}
		return []string{
			"select 1/0", "insert into steps values (1)", "insert into steps values (2)",
			"select set_config('work_mem', '1MB', true)",
		}[random.IntN(4)]
	}
	for range 150 {
		var steps []string
		for range 12 {
			s := step()
			for random.IntN(4) == 0 {
				s += "|" + step()
			}
			steps = append(steps, s)
		}
		require.Equal(t, f.plain(t, steps), f.scoped(t, steps), "seed %d: %q", seed, steps)
	}
	assert.Zero(t, f.db.Stats().Destroyed)
}

// Savepoints of Begin and of statements share one stack.
func TestSavepointStatementsAndBegin(t *testing.T) {
	t.Parallel()
	f := savepointFixture(t)
	ctx := in(t, "tenant_a")
	exec := func(tx pgx.Tx, statements ...string) {
		t.Helper()
		for _, sql := range statements {
			_, err := tx.Exec(ctx, sql)
			require.NoError(t, err, sql)
		}
	}
	for _, first := range []string{"select 1", "SAVEPOINT other"} { // BEGIN was sent, or not yet
		tx := f.begin(t)
		exec(tx, first, "SAVEPOINT a")
		inner, err := tx.Begin(ctx)
		require.NoError(t, err)
		exec(inner, "insert into steps values (1)", "SAVEPOINT b", "insert into steps values (2)")
		require.NoError(t, inner.Rollback(ctx))
		_, err = tx.Exec(ctx, "ROLLBACK TO b") // b was inside of the savepoint that was rolled back
		expectState(t, err, "3B001")
		exec(tx, "ROLLBACK TO a", "insert into steps values (3)")

		inner, err = tx.Begin(ctx)
		require.NoError(t, err)
		innermost, err := inner.Begin(ctx)
		require.NoError(t, err)
		exec(innermost, "insert into steps values (4)", "RELEASE a") // ends both inner savepoints
		_, err = inner.Exec(ctx, "select 1")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		require.ErrorIs(t, innermost.Commit(ctx), pgx.ErrTxClosed)
		require.ErrorIs(t, inner.Rollback(ctx), pgx.ErrTxClosed)

		inner, err = tx.Begin(ctx)
		require.NoError(t, err)
		exec(
			inner,
			"SAVEPOINT pgtenant_1",
			"insert into steps values (5)",
			"ROLLBACK TO pgtenant_1",
			"insert into steps values (6)",
		)
		require.NoError(t, inner.Commit(ctx))
		_, err = tx.Exec(ctx, "RELEASE pgtenant_1")
		expectState(t, err, "3B001")
		require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxCommitRollback)
		require.Empty(t, f.committed(t, "tenant_a"))
	}
	require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		return pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			exec(inner, "SAVEPOINT a", "insert into steps values (1)", "ROLLBACK TO a", "insert into steps values (2)")
			return nil
		})
	}))
	require.Equal(t, []string{"2"}, f.committed(t, "tenant_a"))
}

// The scope still applies after each savepoint statement. A change of the scope that was rolled
// back to a savepoint is no error.
func TestScopeBehindSavepointStatements(t *testing.T) {
	t.Parallel()
	f := savepointFixture(t)
	ctx := in(t, "tenant_a")
	const stray = "select set_config('search_path', 'tenant_b', true)"
	expect := func(strayed bool, statements ...string) {
		t.Helper()
		err := f.db.InTx(ctx, func(tx pgx.Tx) error {
			for _, sql := range statements {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			if body, _, err := note(ctx, tx); err != nil || body != "tenant_a" {
				return fmt.Errorf("read %q: %w", body, err)
			}
			return nil
		})
		if strayed {
			require.ErrorIs(t, err, schemactx.ErrScopeChanged)
		} else {
			require.NoError(t, err)
		}
	}
	expect(true, stray, "SAVEPOINT a")
	expect(true, stray, "SAVEPOINT a", "ROLLBACK TO a")
	expect(true, "SAVEPOINT a", "select 1", stray, "RELEASE a")
	if !f.reportsPath(t) { // else the change is found at once
		expect(false, "SAVEPOINT a", "select 1", stray, "ROLLBACK TO a")
	}
	expect(false, "SAVEPOINT a", "select set_config('work_mem', '1MB', true)", "ROLLBACK TO a", "RELEASE a")

	err := f.db.InTx(ctx, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue("SAVEPOINT a")
		b.Queue(stray)
		b.Queue("RELEASE a")
		b.Queue("select body from notes")
		return tx.SendBatch(ctx, b).Close()
	})
	require.ErrorIs(t, err, schemactx.ErrScopeChanged)
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
}

// Outside of a transaction savepoint statements are refused, and inside of one COMMIT and ROLLBACK
// still are.
func TestSavepointStatementsThatAreRefused(t *testing.T) {
	t.Parallel()
	f := savepointFixture(t)
	ctx := in(t, "tenant_a")
	for _, sql := range []string{"SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "ROLLBACK", "COMMIT"} {
		_, err := f.db.Exec(ctx, sql)
		require.ErrorIs(t, err, schemactx.ErrScopeChanged, sql)
		b := &pgx.Batch{}
		b.Queue("insert into steps values (1)")
		b.Queue(sql)
		require.ErrorIs(t, f.db.SendBatch(ctx, b).Close(), schemactx.ErrScopeChanged, sql)
	}
	for _, sql := range []string{
		"ROLLBACK", "ROLLBACK WORK", "rollback and chain", "COMMIT", "abort", "end", "release", "savepoint", "rollback to",
		"savepoint a b",
		"savepoint a; commit", "(savepoint a)", `savepoint ""`, `savepoint U&"a"`, "rollback to savepoint a; select 1",
		"commit to a", "savepoint 1",
		`rollback "to" a`, `savepoint "a`, "set local role none",
	} {
		tx := f.begin(t)
		_, err := tx.Exec(ctx, "insert into steps values (1)")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, sql)
		require.ErrorIs(t, err, schemactx.ErrScopeChanged, sql)
		require.ErrorIs(t, err, schemactx.ErrTransactionEnded, sql)
	}
	require.Empty(t, f.committed(t, "tenant_a"))
	tx := f.begin(t)
	rows, err := tx.Query(ctx, "SAVEPOINT a")
	require.NoError(t, err)
	require.False(t, rows.Next())
	require.NoError(t, rows.Err())
	require.Equal(t, "SAVEPOINT", rows.CommandTag().String())
	open, err := tx.Query(ctx, "select 1")
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "ROLLBACK TO a")
	require.ErrorIs(t, err, schemactx.ErrTxBusy)
	open.Close()
	_, err = tx.Exec(ctx, "ROLLBACK TO a", 1)
	require.ErrorContains(t, err, "expected 0 arguments")
}

// A savepoint costs no additional round trip, whether Begin or a statement makes it.
func TestRoundTripsOfSavepointStatements(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	ctx := in(t, "tenant_a")
	run := func() error {
		return w.db.InTx(ctx, func(tx pgx.Tx) error {
			for _, sql := range []string{
				"SAVEPOINT a", "update notes set body = body", "SAVEPOINT b", "update notes set body = body",
			} {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, run())
	w.expect(t, "savepoints", cost{trips: 3, parses: true}, run)
}

// reportsPath reports whether the server reports the search path.
func (f *fixture) reportsPath(t *testing.T) bool {
	t.Helper()
	return pgtest.Version(t) >= 18
}

func openPoolWith(t *testing.T, cfg *pgxpool.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// begin begins a transaction in tenant_a and rolls it back at the end of the test.
func (f *fixture) begin(t *testing.T) pgx.Tx {
	t.Helper()
	tx, err := f.db.Begin(in(t, "tenant_a"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}
