package schemactx_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// sessionPaths are the ways in which a session gets a search path that is not PostgreSQL's default.
var sessionPaths = map[string]func(t *testing.T, f *fixture, pool *pgxpool.Config){
	"default": func(*testing.T, *fixture, *pgxpool.Config) {},
	"AfterConnect": func(_ *testing.T, _ *fixture, pool *pgxpool.Config) {
		pool.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "set search_path = public, pg_temp")
			return err
		}
	},
	"AfterConnect, empty": func(_ *testing.T, _ *fixture, pool *pgxpool.Config) {
		pool.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "select set_config('search_path', '', false)")
			return err
		}
	},
	"PrepareConn": func(_ *testing.T, _ *fixture, pool *pgxpool.Config) {
		pool.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			_, err := conn.Exec(ctx, "set search_path = public, pg_temp")
			return true, err
		}
	},
	"another one each time": func(_ *testing.T, _ *fixture, pool *pgxpool.Config) {
		n := 0
		pool.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			n++
			_, err := conn.Exec(ctx, fmt.Sprintf("set search_path = path_%d", n))
			return true, err
		}
	},
	"RESET ALL": func(_ *testing.T, _ *fixture, pool *pgxpool.Config) {
		pool.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "set search_path = public, pg_temp")
			return err
		}
		pool.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			_, err := conn.Exec(ctx, "reset all", pgx.QueryExecModeSimpleProtocol)
			return true, err
		}
	},
	"RuntimeParams": func(_ *testing.T, _ *fixture, pool *pgxpool.Config) {
		pool.ConnConfig.RuntimeParams["search_path"] = "nowhere"
	},
	"RuntimeParams and AfterConnect": func(_ *testing.T, _ *fixture, pool *pgxpool.Config) {
		pool.ConnConfig.RuntimeParams["search_path"] = "nowhere"
		pool.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "set search_path = public, pg_temp")
			return err
		}
	},
	"ALTER ROLE": func(t *testing.T, f *fixture, _ *pgxpool.Config) {
		for _, role := range []string{f.roles.Runtime(), f.roles.Tenant("tenant_a"), f.roles.Tenant("tenant_b")} {
			_, err := f.pg.Pool.Exec(t.Context(), fmt.Sprintf("alter role %s set search_path = nowhere, public", role))
			require.NoError(t, err)
		}
	},
	"ALTER DATABASE": func(t *testing.T, f *fixture, _ *pgxpool.Config) {
		_, err := f.pg.Pool.Exec(t.Context(), fmt.Sprintf("alter database %s set search_path = nowhere, public", f.pg.Name))
		require.NoError(t, err)
	},
}

// updates change the note of the schema with each kind of unit of work. Some call a function, which
// requires additional statements.
var updates = map[string]func(ctx context.Context, db *schemactx.DB, body string) error{
	"Exec": func(ctx context.Context, db *schemactx.DB, body string) error {
		_, err := db.Exec(ctx, "update notes set body = $1", body)
		return err
	},
	"Exec of what may stray": func(ctx context.Context, db *schemactx.DB, body string) error {
		_, err := db.Exec(ctx, "update notes set body = touch($1)", body)
		return err
	},
	"Exec of a block": func(ctx context.Context, db *schemactx.DB, body string) error {
		_, err := db.Exec(ctx, fmt.Sprintf("do $$ begin update notes set body = '%s'; end $$", body))
		return err
	},
	"SendBatch": func(ctx context.Context, db *schemactx.DB, body string) error {
		b := &pgx.Batch{}
		b.Queue("select 1")
		b.Queue("update notes set body = touch($1)", body)
		return db.SendBatch(ctx, b).Close()
	},
	"InTx": func(ctx context.Context, db *schemactx.DB, body string) error {
		return db.InTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "update notes set body = touch($1)", body); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "select 1")
			return err
		})
	},
	"CopyFrom": func(ctx context.Context, db *schemactx.DB, body string) error {
		if _, err := db.Exec(ctx, "delete from notes"); err != nil {
			return err
		}
		_, err := db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id", "body"}, rowsOf([]any{1, body}))
		return err
	},
}

// If the session's own search path is not its first one, a committed unit of work is not reported
// as failed, and no connection is closed.
func TestSearchPathOfTheSessionIsAccepted(t *testing.T) {
	t.Parallel()
	for name, prepare := range sessionPaths {
		for _, level := range []schemactx.Level{schemactx.PathOnly, schemactx.Roles, schemactx.Logins} {
			t.Run(fmt.Sprintf("%s, level %d", name, level), func(t *testing.T) {
				t.Parallel()
				f := setup(t)
				for _, schema := range []string{"tenant_a", "tenant_b"} {
					f.exec(t, fmt.Sprintf("create function %s.touch(text) returns text language sql as 'select $1'", schema))
					f.exec(
						t,
						fmt.Sprintf("grant usage on schema %s to %s; grant all on %[1]s.notes to %[2]s", schema, f.roles.Runtime()),
					)
					f.provisionLogin(t, schema, "the password")
				}
				pool, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
				require.NoError(t, err)
				pool.MaxConns = 1
				prepare(t, f, pool)
				cfg := schemactx.Config{Level: level}
				if level == schemactx.Logins {
					if pool.PrepareConn != nil {
						t.Skip("a session that logs in as its tenant has the tenant's search path")
					}
					cfg.Logins = schemactx.LoginsConfig{
						MaxConns: 1, Password: func(context.Context, string) (string, error) { return "the password", nil },
					}
				}
				db := f.openWith(t, pool, cfg)
				t.Cleanup(db.Close)
				for round := range 2 {
					for way, update := range updates {
						for _, schema := range []string{"tenant_a", "tenant_b"} {
							body := fmt.Sprintf("%s %s %d", way, schema, round)
							require.NoError(t, update(in(t, schema), db, body), body)
							expectNote(t, in(t, schema), db, body)
						}
					}
				}
				assert.Zero(t, db.Stats().Destroyed)
			})
		}
	}
}

// The check of TestReportedSearchPath works with any search path of the session.
func TestReportedSearchPathOfAnySession(t *testing.T) {
	t.Parallel()
	if pgtest.Version(t) < 18 {
		t.Skip("PostgreSQL reports search_path from 18 on")
	}
	for name, prepare := range sessionPaths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			pool, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
			require.NoError(t, err)
			pool.MaxConns = 1
			prepare(t, f, pool)
			db := f.openWith(t, pool, schemactx.Config{})
			for i := range 3 {
				for _, schema := range []string{"tenant_a", "tenant_b"} {
					before := db.Stats().Destroyed
					_, err = db.Exec(in(t, schema), "select set_config('search_path', 'tenant_b', false)")
					require.ErrorIs(t, err, schemactx.ErrScopeChanged, i)
					assert.Equal(t, before+1, db.Stats().Destroyed)
					expectNote(t, in(t, schema), db, schema)
				}
			}
		})
	}
}
