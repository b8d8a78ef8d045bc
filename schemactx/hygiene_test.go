package schemactx_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// State that a tenant leaves on a connection is removed before the next tenant's statement, without
// an additional round trip or connection. Reads cause no scrub.
func TestConnectionIsScrubbedBetweenTenants(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(
		t,
		"create sequence tenant_a.s; create sequence tenant_b.s; grant usage on sequence tenant_a.s to "+f.roles.Tenant(
			"tenant_a",
		),
	)
	for _, c := range []struct{ leave, look, want string }{
		{"select set_config('app.who', 'a', false)", "select current_setting('app.who', true)", ""},
		{"select set_config('statement_timeout', '12345', false)", "select current_setting('statement_timeout')", "0"},
		{
			"declare c cursor with hold for select body from notes", "select count(*)::text from pg_cursors where name = 'c'",
			"0",
		},
		{"do $$ begin execute 'listen gossip'; end $$", "select count(*)::text from pg_listening_channels()", "0"},
		{
			"select pg_advisory_lock(7)",
			"select count(*)::text from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()", "0",
		},
		{
			"do $$ begin execute 'prepare mine as select 1'; end $$",
			"select count(*)::text from pg_prepared_statements where name = 'mine'", "0",
		},
		{"do $$ begin execute 'deallocate all'; end $$", "select body from notes", "tenant_b"},
	} {
		_, before, err := note(in(t, "tenant_b"), f.db) // warm
		require.NoError(t, err)
		_, err = f.db.Exec(in(t, "tenant_a"), c.leave)
		require.NoError(t, err)
		var got string
		require.NoError(t, f.db.QueryRow(in(t, "tenant_b"), "select coalesce(("+c.look+"), '')").Scan(&got))
		assert.Equal(t, c.want, got, "%s: the next tenant sees %q", c.leave, got)
		_, after, err := note(in(t, "tenant_b"), f.db)
		assert.NoError(t, err, "%s: backend %d, then %d", c.leave, before, after)
		assert.Equal(t, before, after, "%s: backend %d, then %d", c.leave, before, after)
	}
	_, err := f.db.Exec(in(t, "tenant_a"), "select nextval('s')")
	require.NoError(t, err)
	_, err = f.db.Exec(in(t, "tenant_b"), "select lastval()")
	expectState(t, err, "55000")

	before := f.db.Stats()
	for range 5 {
		expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
		expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
	}
	after := f.db.Stats()
	assert.LessOrEqual(t, after.Scrubs, before.Scrubs+1,
		"stats %+v, then %+v: want 10 switches and at most one scrub", before, after)
	assert.Equal(t, before.Switches+10, after.Switches,
		"stats %+v, then %+v: want 10 switches and at most one scrub", before, after)
	assert.Zero(t, after.Destroyed, "stats %+v, then %+v: want 10 switches and at most one scrub", before, after)
}

// An error of a statement does not undo the scrub that preceded it.
func TestScrubSurvivesAnError(t *testing.T) {
	t.Parallel()
	f := setup(t)
	look := func(q querier, schema string) string {
		var got string
		require.NoError(t, q.QueryRow(in(t, schema), "select coalesce(current_setting('app.who', true), '')").Scan(&got))
		return got
	}
	for name, fail := range map[string]func() error{
		"statement": func() error { _, err := f.db.Exec(in(t, "tenant_b"), "select 1/0"); return err },
		"write": func() error {
			_, err := f.db.Exec(in(t, "tenant_b"), "insert into notes values (1, 'twice')")
			return err
		},
		"batch": func() error {
			b := &pgx.Batch{}
			b.Queue("select 1")
			b.Queue("select 1/0")
			return f.db.SendBatch(in(t, "tenant_b"), b).Close()
		},
		"copy": func() error {
			_, err := f.db.CopyFrom(
				in(t, "tenant_b"), pgx.Identifier{"notes"}, []string{"id", "body"}, rowsOf([]any{1, "twice"}),
			)
			return err
		},
		"transaction": func() error {
			return f.db.InTx(in(t, "tenant_b"), func(tx pgx.Tx) error {
				assert.Empty(t, look(tx, "tenant_b"), "in the transaction")
				_, err := tx.Exec(in(t, "tenant_b"), "select 1/0")
				return err
			})
		},
	} {
		_, err := f.db.Exec(in(t, "tenant_a"), "select set_config('app.who', 'a', false)")
		require.NoError(t, err)
		assert.Error(t, fail(), "%s did not fail", name)
		got := look(f.db, "tenant_b")
		assert.Empty(t, got, "after a failed %s: tenant_b sees %q", name, got)
	}
}

// A statement that a transaction prepares after a block of code is deallocated with all that were
// prepared before.
func TestStatementsAfterABlockInATransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	for range 2 {
		require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "do $$ begin null; end $$")
			require.NoError(t, err)
			expectNote(t, ctx, tx, "tenant_a")
			return insertNote(ctx, tx)
		}))
		b := &pgx.Batch{}
		b.Queue("select body, pg_backend_pid() from notes where id = $1", 1)
		b.Queue("delete from notes where id = 2")
		require.NoError(t, f.db.SendBatch(ctx, b).Close())
		expectNote(t, ctx, f.db, "tenant_a")
	}
}

type panicking struct{}

func (panicking) RewriteQuery(_ context.Context, conn *pgx.Conn, sql string, args []any) (string, []any, error) {
	return sql, args, conn.Ping(context.Background()) // panics, because the connection is nil
}

// If the caller's code panics while a statement is made, the connection is not lost.
func TestPanicOfTheCallersCode(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	hooked := f.open(
		t,
		schemactx.Config{Hooks: schemactx.Hooks{ScopeStart: func(ctx context.Context, _ schemactx.ScopeStart) {
			if ctx.Value(panicking{}) != nil {
				panic("in a hook")
			}
		}}},
		1,
	)
	batch := &pgx.Batch{}
	batch.Queue("select 1", panicking{})
	for name, c := range map[string]struct {
		db  *schemactx.DB
		run func()
	}{
		"statement": {f.db, func() { _, _ = f.db.Exec(ctx, "select 1", panicking{}) }},
		"batch":     {f.db, func() { _ = f.db.SendBatch(ctx, batch).Close() }},
		"transaction": {f.db, func() {
			_ = f.db.InTx(ctx, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, "select 1", panicking{}); return err })
		}},
		"hook": {hooked, func() { _, _ = hooked.Exec(context.WithValue(ctx, panicking{}, true), "select 1") }},
	} {
		func() {
			defer func() {
				assert.True(t, recover() != nil, "%s: no panic", name)
			}()
			c.run()
		}()
		short, cancel := context.WithTimeout(in(t, "tenant_b"), time.Minute)
		// The DB has one connection.
		body, _, err := note(short, c.db)
		assert.NoError(t, err, "after a %s: read %q", name, body)
		assert.Equal(t, "tenant_b", body, "after a %s: read %q", name, body)
		cancel()
	}
}

func TestTransactionWhoseScopeWasChangedInside(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	for _, sql := range []string{
		"select set_config('search_path', 'tenant_b', true)",
		fmt.Sprintf("select set_config('role', '%s', true)", f.roles.Tenant("tenant_b")),
	} {
		err := f.db.InTx(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, sql)
			if err == nil {
				_, _, err = note(ctx, tx)
			}
			assert.ErrorIs(t, err, schemactx.ErrTransactionEnded)
			assert.ErrorIs(t, err, schemactx.ErrScopeChanged)
			return nil
		})
		assert.ErrorIs(t, err, schemactx.ErrTransactionEnded)
		expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
	}
	assert.Equal(t, int64(2), f.db.Stats().Destroyed, "%d connections destroyed, want 2", f.db.Stats().Destroyed)
}

// From PostgreSQL 18 on the server reports the search path. A connection whose path was changed for
// the session is closed at once.
func TestReportedSearchPath(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if pgtest.Version(t) < 18 {
		t.Skip("PostgreSQL reports search_path from 18 on")
	}
	_, before, err := note(in(t, "tenant_a"), f.db)
	require.NoError(t, err)
	_, err = f.db.Exec(in(t, "tenant_a"), "select set_config('search_path', 'tenant_b', false)")
	assert.ErrorIs(t, err, schemactx.ErrScopeChanged)
	_, after, err := note(in(t, "tenant_a"), f.db)
	assert.NoError(t, err, "the connection lives on, %v", err)
	assert.NotEqual(t, before, after, "the connection lives on, %v", err)
}

func TestRoleOfTheSessionIsReset(t *testing.T) {
	t.Parallel()
	f := setup(t)
	pool := openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
	db, err := schemactx.New(pool, schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	steal := fmt.Sprintf("select set_config('role', '%s', false)", f.roles.Tenant("tenant_b"))
	ctx := in(t, "tenant_a")
	b := &pgx.Batch{}
	b.Queue("select 1")
	b.Queue(steal)
	refused := map[string]bool{"batch": true, "transaction": true} // their COMMIT would run code with that role
	for name, run := range map[string]func() error{
		"statement":  func() error { _, err := db.Exec(ctx, steal); return err },
		"unprepared": func() error { _, err := db.Exec(ctx, steal, pgx.QueryExecModeExec); return err },
		"batch":      func() error { return db.SendBatch(ctx, b).Close() },
		"transaction": func() error {
			return db.InTx(
				ctx, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, steal); return err },
			)
		},
	} {
		if err := run(); refused[name] {
			assert.ErrorIs(t, err, schemactx.ErrScopeChanged)
		} else {
			require.NoError(t, err)
		}
		var role string
		require.NoError(t, pool.QueryRow(t.Context(), "select current_user").Scan(&role))
		assert.Equal(t, f.roles.Runtime(), role, "after a %s the session", name)
	}
}

// PathOnly sets no role, and RESET ALL in the scrub does not reset one that a statement has set.
func TestRoleOfTheSessionIsResetAtPathOnly(t *testing.T) {
	t.Parallel()
	f := setup(t)
	pool := openPool(t, f.pg.URL, 1)
	db, err := schemactx.New(pool, schemactx.Config{Level: schemactx.PathOnly, Roles: f.roles})
	require.NoError(t, err)
	_, err = db.Exec(in(t, "tenant_a"), "select set_config('role', $1, false)", f.roles.Tenant("tenant_a"))
	require.NoError(t, err)
	var role, login string
	require.NoError(t, db.QueryRow(in(t, "tenant_b"), "select current_user, session_user").Scan(&role, &login))
	assert.Equal(t, login, role, "the next tenant runs as %s", role)
}
