package schemactx_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// leveled is a DB at one level with a single connection for each tenant. All tenants share the same
// connection, except at Logins.
type leveled struct {
	*fixture
	level schemactx.Level
	db    *schemactx.DB
	pool  *pgxpool.Pool // the connection of the DB's tenants outside of any scope; nil at Logins
	login string        // the login of pool
}

// atEveryLevel runs test with a separate database for each level. prepare runs as the owner in each
// tenant's schema, with that schema as the search path.
func atEveryLevel(t *testing.T, prepare string, test func(t *testing.T, l *leveled)) {
	for _, level := range []struct {
		name     string
		level    schemactx.Level
		hardened bool
	}{
		{"PathOnly", schemactx.PathOnly, false},
		{"Roles", schemactx.Roles, false},
		{"hardened", schemactx.Roles, true},
		{"Logins", schemactx.Logins, false},
	} {
		t.Run(level.name, func(t *testing.T) {
			t.Parallel()
			l := &leveled{fixture: setup(t), level: level.level}
			for _, schema := range []string{"tenant_a", "tenant_b"} {
				l.inSchema(t, schema, prepare)
			}
			if level.hardened {
				_, err := admin.Harden(t.Context(), l.pg.Pool, l.roles)
				require.NoError(t, err)
			}
			l.open(t)
			test(t, l)
		})
	}
}

func (l *leveled) open(t *testing.T) {
	t.Helper()
	if l.level == schemactx.Logins {
		l.db = loginDB(t, l.fixture, schemactx.Config{Logins: schemactx.LoginsConfig{MaxConns: 1}})
		return
	}
	password := runtimePassword
	l.login = l.roles.Runtime()
	if l.level == schemactx.PathOnly {
		l.login, password = l.roles.Owner(), ownerPassword
	}
	l.pool = openPool(t, l.pg.URLAs(l.login, password), 1)
	var err error
	l.db, err = schemactx.New(l.pool, schemactx.Config{Level: l.level, Roles: l.roles})
	require.NoError(t, err)
}

// expectOutside fails the test unless the connection is outside of any scope: it has the login's
// own role and path.
func (l *leveled) expectOutside(t *testing.T, after string) {
	t.Helper()
	if l.pool == nil {
		return
	}
	var user, path string
	err := l.pool.QueryRow(t.Context(), "select current_user, current_setting('search_path')", pgx.QueryExecModeExec).
		Scan(&user, &path)
	require.NoError(t, err, after)
	assert.Equal(t, l.login, user, "role outside of the scope after a %s", after)
	if l.level == schemactx.PathOnly {
		assert.Equal(t, `"$user", public`, path, "path outside of the scope after a %s", after)
	}
}

// pid returns the id of the server process that serves the schema.
func (l *leveled) pid(t *testing.T, schema string) (pid int) {
	t.Helper()
	require.NoError(t, l.db.QueryRow(in(t, schema), "select pg_backend_pid()").Scan(&pid))
	return pid
}

func hasState(err error, state string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == state
}

// units are the units of work that can run a statement without arguments.
var units = map[string]func(context.Context, *schemactx.DB, string) error{
	"statement": func(ctx context.Context, db *schemactx.DB, sql string) error {
		_, err := db.Exec(ctx, sql)
		return err
	},
	"query": func(ctx context.Context, db *schemactx.DB, sql string) error {
		rows, err := db.Query(ctx, sql)
		if err != nil {
			return err
		}
		rows.Close()
		return rows.Err()
	},
	"unprepared statement": func(ctx context.Context, db *schemactx.DB, sql string) error {
		_, err := db.Exec(ctx, sql, pgx.QueryExecModeExec)
		return err
	},
	"transaction": func(ctx context.Context, db *schemactx.DB, sql string) error {
		return db.InTx(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, sql)
			return err
		})
	},
	"savepoint": func(ctx context.Context, db *schemactx.DB, sql string) error {
		return db.InTx(ctx, func(tx pgx.Tx) error {
			return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, sql)
				return err
			})
		})
	},
	"batch of one": func(ctx context.Context, db *schemactx.DB, sql string) error {
		b := &pgx.Batch{}
		b.Queue(sql)
		return db.SendBatch(ctx, b).Close()
	},
	"batch": func(ctx context.Context, db *schemactx.DB, sql string) error {
		b := &pgx.Batch{}
		b.Queue("select 1")
		b.Queue(sql)
		b.Queue("select 2")
		return db.SendBatch(ctx, b).Close()
	},
	"batch in a transaction": func(ctx context.Context, db *schemactx.DB, sql string) error {
		return db.InTx(ctx, func(tx pgx.Tx) error {
			b := &pgx.Batch{}
			b.Queue(sql)
			return tx.SendBatch(ctx, b).Close()
		})
	},
}

// deferredSQL creates a table whose trigger runs at COMMIT, records its role and path, and refuses
// zero. The function that it calls and the table that it writes to are found by the search path.
const deferredSQL = `
	create table lines (amount int);
	create table ran (who text, path text);
	create function here() returns text language sql as $$ select current_user::text $$;
	create function balanced() returns trigger language plpgsql as $$
	begin
		insert into ran values (here(), current_setting('search_path'));
		if new.amount = 0 then raise exception 'not balanced' using errcode = '23514'; end if;
		return null;
	end $$;
	create constraint trigger balanced after insert on lines deferrable initially deferred
		for each row execute function balanced();
	create procedure add(amount int) language plpgsql as $$ begin insert into lines values (amount); end $$;
	create table own (id int primary key);
	create table child (id int references own deferrable initially deferred);
	create function outlive(amount int) returns int language sql as $$
		insert into lines values (amount) returning amount $$`

// Deferred constraint triggers run in the scope, in the COMMIT of every kind of unit of work.
func TestDeferredTriggersRunInTheScope(t *testing.T) {
	t.Parallel()
	statements := []string{
		"insert into lines values (1)",
		"insert into lines select x from (select pg_sleep(0)) s, (values (1)) as v(x)", // by its text it may change the scope
		"call add(1)",
		"do $$ begin insert into lines values (1); end $$",
		"with w as (insert into lines values (1) returning amount) select abs(amount) from w",
		"select outlive(1)",
	}
	atEveryLevel(t, deferredSQL, func(t *testing.T, l *leveled) {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			for name, run := range units {
				for _, sql := range statements {
					err := run(in(t, schema), l.db, sql)
					if hasState(err, "42501") && sql[:2] == "do" {
						continue // hardened
					}
					require.NoError(t, err, "%s as a %s", sql, name)
					l.expectRan(t, schema, name+" "+sql)
					l.expectOutside(t, name+" "+sql)
				}
			}
			n, err := l.db.CopyFrom(in(t, schema), pgx.Identifier{"lines"}, []string{"amount"}, rowsOf([]any{1}))
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			l.expectRan(t, schema, "copy")
		}
	})
}

// expectRan fails the test unless the trigger has run in the schema once, and deletes its record.
func (l *leveled) expectRan(t *testing.T, schema, what string) {
	t.Helper()
	rows, err := l.owner.Query(t.Context(), "select who, path from "+schema+".ran")
	require.NoError(t, err)
	type ran struct{ Who, Path string }
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ran])
	require.NoError(t, err)
	who := l.roles.Tenant(schema)
	if l.level == schemactx.PathOnly {
		who = l.login
	}
	assert.Equal(t, []ran{{who, fmt.Sprintf("%q, pg_temp", schema)}}, got, what)
	l.exec(t, "truncate "+schema+".ran")
}

// An error at COMMIT is returned as the error of the unit of work, and nothing of it remains.
func TestErrorAtCommit(t *testing.T) {
	t.Parallel()
	atEveryLevel(t, deferredSQL, func(t *testing.T, l *leveled) {
		ctx := in(t, "tenant_a")
		for name, run := range units {
			before := l.pid(t, "tenant_a")
			for sql, state := range map[string]string{
				"insert into lines values (0)":                "23514",
				"insert into lines select 0 from pg_sleep(0)": "23514",
				"insert into child values (7)":                "23503",
				"insert into child select 7 from pg_sleep(0)": "23503",
				"call add(0)":       "23514",
				"select outlive(0)": "23514",
			} {
				expectState(t, run(ctx, l.db, sql), state)
				l.expectOutside(t, name+" "+sql)
			}
			var left int
			require.NoError(
				t,
				l.db.QueryRow(ctx, "select (select count(*) from lines) + (select count(*) from child)").Scan(&left),
			)
			assert.Zero(t, left, "rows after a %s", name)
			assert.Equal(t, before, l.pid(t, "tenant_a"), "the connection after a %s", name)
		}
		_, err := l.db.CopyFrom(ctx, pgx.Identifier{"lines"}, []string{"amount"}, rowsOf([]any{0}))
		expectState(t, err, "23514")
	})
}

// The query of a cursor WITH HOLD runs at COMMIT, in the scope, and what it has set for the session
// is reset.
func TestHeldCursorsRunInTheScope(t *testing.T) {
	t.Parallel()
	atEveryLevel(t, deferredSQL, func(t *testing.T, l *leveled) {
		for name, run := range units {
			_, err := l.db.Exec(in(t, "tenant_a"), "close all") // at Logins the session keeps its cursors
			require.NoError(t, err)
			require.NoError(t, run(in(t, "tenant_a"), l.db, "declare c cursor with hold for select outlive(1)"), name)
			l.expectRan(t, "tenant_a", name)
			l.expectOutside(t, name)
			var open int
			require.NoError(t, l.db.QueryRow(in(t, "tenant_b"), "select count(*) from pg_cursors where name = 'c'").Scan(&open))
			assert.Zero(t, open, name)
		}
	})
}

// Deferred work runs in the scope or not at all. If a statement of the transaction has changed the
// path, the deferred trigger of an earlier one must not write to another tenant's table.
func TestCommitAfterTheScopeWasChanged(t *testing.T) {
	t.Parallel()
	const prepare = `create table ledger (id int); create table trail (id int);
		create function at_commit() returns trigger language plpgsql as $f$
		begin insert into trail values (new.id); return null; end $f$;
		create constraint trigger at_commit after insert on ledger deferrable initially deferred
			for each row execute function at_commit();
		create function leave() returns text language sql volatile as $f$ select set_config('search_path', 'tenant_b',
			true) $f$;
		create view left_behind as select leave()`
	atEveryLevel(t, prepare, func(t *testing.T, l *leveled) {
		ctx := in(t, "tenant_a")
		for _, stray := range []string{"select set_config('search_path', 'tenant_b', true)", "select * from left_behind"} {
			batch := &pgx.Batch{}
			batch.Queue("insert into ledger values (1)")
			batch.Queue(stray)
			ways := map[string]func() error{
				"transaction": func() error {
					return l.db.InTx(ctx, func(tx pgx.Tx) error {
						if _, err := tx.Exec(ctx, "insert into ledger values (1)"); err != nil {
							return err
						}
						_, err := tx.Exec(ctx, stray)
						return err
					})
				},
				"batch in a transaction": func() error {
					return l.db.InTx(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
				},
				"batch": func() error { return l.db.SendBatch(ctx, batch).Close() },
				"batch, read": func() error {
					results := l.db.SendBatch(ctx, batch)
					for range 2 {
						if _, err := results.Exec(); err != nil {
							return errors.Join(err, results.Close())
						}
					}
					return results.Close()
				},
			}
			for way, run := range ways {
				err := run()
				if hasState(err, "42501") {
					continue // hardened: the tenant's role may not call set_config
				}
				require.ErrorIs(t, err, schemactx.ErrScopeChanged, "%s: %s", way, stray)
				var rows int
				err = l.owner.QueryRow(t.Context(), `select (select count(*) from tenant_a.ledger) + (select count(*)
					from tenant_a.trail)
					+ (select count(*) from tenant_b.trail)`).
					Scan(&rows)
				require.NoError(t, err)
				require.Zero(t, rows, "%s: %s", way, stray)
			}
		}
	})
}
