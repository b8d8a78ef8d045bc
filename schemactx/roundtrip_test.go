package schemactx_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// wireDelay is how long a counting proxy delays chunks, in each direction. Without a delay, an
// answer on the loopback can arrive while the client still sends in several writes without waiting.
// The count would then depend on the scheduler.
const wireDelay = 5 * time.Millisecond

// wired is a fixture whose DB reaches the server through a proxy, on one connection that is already
// open.
type wired struct {
	*fixture
	proxy *proxy
	pool  *pgxpool.Pool
	db    *schemactx.DB
}

func setupWired(t *testing.T, options ...func(*pgxpool.Config)) *wired {
	t.Helper()
	f := setup(t)
	url := f.pg.URLAs(f.roles.Runtime(), runtimePassword)
	w := &wired{fixture: f, proxy: newProxy(t, url, wireDelay)}
	w.pool = openVia(t, w.proxy, url, 1, options...)
	require.NoError(t, w.pool.Ping(t.Context()))
	var err error
	w.db, err = schemactx.New(w.pool, schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	return w
}

// unprepared makes a pool's statements unnamed, as for a pooler without prepared statements.
func unprepared(cfg *pgxpool.Config) { cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec }

// cost is the allowed cost of an operation on the wire.
type cost struct {
	trips  int
	parses bool // Parse may be sent; trips is then the maximum, else the exact number
}

// warm and cold are the documented costs of a unit of work.
var (
	warm = cost{trips: 1}
	cold = cost{trips: 2, parses: true}
)

// expect fails the test unless fn has the given cost.
func (w *wired) expect(t *testing.T, what string, want cost, fn func() error) {
	t.Helper()
	got, err := w.proxy.during(fn)
	assert.NoError(t, err, what)
	w.compare(t, what, want, got)
}

// expectFailure is expect for an fn that the server refuses with that SQLSTATE.
func (w *wired) expectFailure(t *testing.T, what string, want cost, state string, fn func() error) {
	t.Helper()
	got, err := w.proxy.during(fn)
	expectState(t, err, state)
	w.compare(t, what, want, got)
}

func (w *wired) compare(t *testing.T, what string, want cost, got traffic) {
	t.Helper()
	assert.LessOrEqual(t, got.trips, want.trips, "%s: want %d round trips: got %s", what, want.trips, got)
	assert.False(t, got.trips < want.trips && !want.parses, "%s: want %d round trips: got %s", what, want.trips, got)
	if !want.parses {
		assert.LessOrEqual(t, got.client['P'], 0, "%s: parsed though warm: %s", what, got)
	}
}

// statements are the ways to run a single statement.
var statements = map[string]func(context.Context, *schemactx.DB, string, ...any) error{
	"Exec": func(ctx context.Context, db *schemactx.DB, sql string, args ...any) error {
		_, err := db.Exec(ctx, sql, args...)
		return err
	},
	"Query": func(ctx context.Context, db *schemactx.DB, sql string, args ...any) error {
		rows, err := db.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	},
	"QueryRow": func(ctx context.Context, db *schemactx.DB, sql string, args ...any) error {
		var body string
		return db.QueryRow(ctx, sql, args...).Scan(&body)
	},
}

func TestRoundTripsOfAStatement(t *testing.T) {
	t.Parallel()
	for name, run := range statements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setupWired(t)
			for _, schema := range []string{"tenant_a", "tenant_b"} { // tenant_a: first use of the connection
				statement := func() error {
					return run(in(t, schema), w.db, "select body from notes where id = $1", 1)
				}
				w.expect(t, schema+" cold", cold, statement)
				for range 3 {
					w.expect(t, schema+" warm", warm, statement)
				}
			}
		})
	}
}

func TestRoundTripsOfAnUnpreparedStatement(t *testing.T) {
	t.Parallel()
	for name, run := range statements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, statement := setupWired(t, unprepared), setupWired(t)
			for _, schema := range []string{"tenant_a", "tenant_b", "tenant_a"} {
				const sql = "select body from notes where id = $1"
				pool.expect(t, schema+", mode of the pool", cost{trips: 1, parses: true}, func() error {
					return run(in(t, schema), pool.db, sql, 1)
				})
				statement.expect(t, schema+", mode of the statement", cost{trips: 1, parses: true}, func() error {
					return run(in(t, schema), statement.db, sql, pgx.QueryExecModeExec, 1)
				})
			}
		})
	}
}

func TestRoundTripsOfAChangeOfTenant(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	schemas := []string{"tenant_a", "tenant_b"}
	for _, schema := range schemas {
		expectNote(t, in(t, schema), w.db, schema)
	}
	for i := range 6 {
		schema := schemas[i%2]
		// The scrub before the scope need not be prepared.
		w.expect(t, "change to "+schema, cost{trips: 1, parses: true}, func() error {
			body, _, err := note(in(t, schema), w.db)
			if err == nil && body != schema {
				err = fmt.Errorf("read the note of %q", body)
			}
			return err
		})
	}
}

func TestRoundTripsOfThePublicScope(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	ctx := schemactx.NewPublicContext(t.Context())
	statement := func() error {
		_, err := w.db.Exec(ctx, "select $1::int", 1)
		return err
	}
	w.expect(t, "cold", cold, statement)
	w.expect(t, "warm", warm, statement)
}

func TestRoundTripsOfAnErrorAndAfterIt(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	ctx := in(t, "tenant_a")
	divide := func(by int) func() error {
		return func() error {
			_, err := w.db.Exec(ctx, "select 1 / $1::int", by)
			return err
		}
	}
	w.expect(t, "cold", cold, divide(1))
	w.expectFailure(t, "error", warm, "22012", divide(0))
	w.expect(t, "after the error", warm, divide(1))
	w.expectFailure(t, "missing schema", cost{trips: 2, parses: true}, "3F000", func() error {
		_, err := w.db.Exec(in(t, "tenant_missing"), "select 1")
		return err
	})
	w.expect(t, "after the missing schema", warm, divide(1))
}

func TestNoRoundTripWithoutASchema(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	w.expect(t, "no schema", cost{trips: 0}, func() error {
		_, err := w.db.Exec(t.Context(), "select 1")
		assert.ErrorIs(t, err, schemactx.ErrNoSchema)
		return nil
	})
}
