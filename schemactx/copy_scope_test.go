package schemactx_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// copied numbers the rows, so that each has its own id.
var copied atomic.Int32

// copyNote copies one row into notes.
func copyNote(ctx context.Context, c interface {
	CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
},
) error {
	_, err := c.CopyFrom(
		ctx,
		pgx.Identifier{"notes"},
		[]string{"id", "body"},
		rowsOf([]any{1_000 + copied.Add(1), "copied"}),
	)
	return err
}

// copyCalls copy a row, each as the first operation of a unit of work.
var copyCalls = map[string]func(ctx context.Context, db *schemactx.DB) error{
	"alone": func(ctx context.Context, db *schemactx.DB) error { return copyNote(ctx, db) },
	"transaction": func(ctx context.Context, db *schemactx.DB) error {
		return db.InTx(ctx, func(tx pgx.Tx) error { return copyNote(ctx, tx) })
	},
	"savepoint": func(ctx context.Context, db *schemactx.DB) error {
		return db.InTx(ctx, func(tx pgx.Tx) error {
			return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return copyNote(ctx, tx) })
		})
	},
}

// A copy into a scope that the server refuses fails like other statements, whether the connection
// knows the table or not.
func TestCopyFromIntoAScopeThatIsRefused(t *testing.T) {
	t.Parallel()
	type refusal struct {
		level schemactx.Level
		kind  error
		spoil func(t *testing.T, f *fixture, db *schemactx.DB)
	}
	drop := func(t *testing.T, f *fixture, _ *schemactx.DB) { f.exec(t, "drop schema tenant_a cascade") }
	for name, r := range map[string]refusal{
		"no schema, by path":   {schemactx.PathOnly, schemactx.ErrSchemaMissing, drop},
		"no schema, by roles":  {schemactx.Roles, schemactx.ErrSchemaMissing, drop},
		"no schema, by logins": {schemactx.Logins, schemactx.ErrSchemaMissing, drop},
		"not a member": {schemactx.Roles, schemactx.ErrNotProvisioned, func(t *testing.T, f *fixture, _ *schemactx.DB) {
			f.exec(t, fmt.Sprintf("revoke %s from %s", f.roles.Tenant("tenant_a"), f.roles.Runtime()))
		}},
		"no role": {schemactx.Roles, schemactx.ErrNotProvisioned, func(t *testing.T, f *fixture, _ *schemactx.DB) {
			role := f.roles.Tenant("tenant_a")
			_, err := f.pg.Pool.Exec(t.Context(), fmt.Sprintf("drop owned by %s; drop role %[1]s", role))
			require.NoError(t, err)
		}},
		"strayed": {schemactx.Logins, schemactx.ErrScopeChanged, func(t *testing.T, f *fixture, db *schemactx.DB) {
			f.exec(
				t,
				"create function tenant_a.strays() returns text language sql as $$ select set_config('search_path', 'nowhere', "+
					"false) $$",
			)
			_, _ = db.Exec(in(t, "tenant_a"), "select strays()") // an error where the server reports it
		}},
	} {
		for way, copyRow := range copyCalls {
			for _, mode := range []string{"warm", "cold", "unnamed"} {
				if way != "alone" && mode == "unnamed" || way == "savepoint" && mode == "cold" ||
					r.level != schemactx.Roles && mode == "unnamed" {
					continue // the same as the others
				}
				t.Run(name+", "+way+", "+mode, func(t *testing.T) {
					t.Parallel()
					f := setup(t)
					var db *schemactx.DB
					switch {
					case r.level == schemactx.Logins:
						db = loginDB(t, f, schemactx.Config{Logins: schemactx.LoginsConfig{MaxConns: 1}})
					case mode == "unnamed":
						db = f.openMode(t, pgx.QueryExecModeExec)
					default:
						db = f.open(t, schemactx.Config{Level: r.level}, 1)
					}
					if r.level == schemactx.PathOnly {
						f.exec(
							t,
							fmt.Sprintf(
								"grant usage on schema tenant_a, tenant_b to %s; grant all on tenant_a.notes, tenant_b.notes to %[1]s",
								f.roles.Runtime(),
							),
						)
					}
					ctx := in(t, "tenant_a")
					if mode == "warm" {
						require.NoError(t, copyRow(ctx, db))
					}
					r.spoil(t, f, db)
					err := copyRow(ctx, db)
					if errors.Is(r.kind, schemactx.ErrScopeChanged) && err == nil {
						return // the connection was closed at once
					}
					require.ErrorIs(t, err, r.kind)
					var scopeErr *schemactx.ScopeError
					require.ErrorAs(t, err, &scopeErr)
					assert.Equal(t, "tenant_a", scopeErr.Schema)
					expectNote(t, in(t, "tenant_b"), db, "tenant_b")
				})
			}
		}
	}
}

// An error of the copy itself is the server's error, and the transaction is in the state that it
// would have without the scope.
func TestCopyFromThatFailsByItself(t *testing.T) {
	t.Parallel()
	rows := func(id any) pgx.CopyFromSource { return rowsOf([]any{id, "copied"}) }
	for name, c := range map[string]struct {
		table pgx.Identifier
		cols  []string
		id    any
		state string
	}{
		"no such table":   {pgx.Identifier{"missing"}, []string{"id", "body"}, 7, "42P01"},
		"no such column":  {pgx.Identifier{"notes"}, []string{"id", "missing"}, 7, "42703"},
		"no such schema":  {pgx.Identifier{"missing", "notes"}, []string{"id", "body"}, 7, "42P01"},
		"no right":        {pgx.Identifier{"tenant_b", "notes"}, []string{"id", "body"}, 7, "42501"},
		"no right, later": {pgx.Identifier{"readable"}, []string{"id", "body"}, 7, "42501"},
		"duplicate":       {pgx.Identifier{"notes"}, []string{"id", "body"}, 1, "23505"},
		"trigger divides": {pgx.Identifier{"divided"}, []string{"id", "body"}, 0, "22012"},
		"trigger refuses": {pgx.Identifier{"divided"}, []string{"id", "body"}, -1, "22023"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.exec(t, "create table tenant_a.readable (id int, body text); create table tenant_a.divided (id int, body text)")
			f.exec(t, fmt.Sprintf("revoke insert on tenant_a.readable from %s", f.roles.Tenant("tenant_a")))
			f.exec(t, `create function tenant_a.divide() returns trigger language plpgsql as $$ begin
				if new.id < 0 then raise 'no' using errcode = '22023'; end if; perform 1 / new.id; return new; end $$`)
			f.exec(t, "create trigger t before insert on tenant_a.divided for each row execute function tenant_a.divide()")
			ctx := in(t, "tenant_a")
			expect := func(err error) {
				t.Helper()
				var pgErr *pgconn.PgError
				require.ErrorAs(t, err, &pgErr)
				assert.Equal(t, c.state, pgErr.Code)
				var scopeErr *schemactx.ScopeError
				assert.NotErrorAs(t, err, &scopeErr)
			}
			for range 2 { // cold and warm
				_, err := f.db.CopyFrom(ctx, c.table, c.cols, rows(c.id))
				expect(err)
				expectNote(t, ctx, f.db, "tenant_a")

				tx, err := f.db.Begin(ctx)
				require.NoError(t, err)
				inner, err := tx.Begin(ctx)
				require.NoError(t, err)
				_, err = inner.CopyFrom(ctx, c.table, c.cols, rows(c.id))
				expect(err)
				_, err = inner.Exec(ctx, "select 1")
				expectState(t, err, "25P02")
				require.NoError(t, inner.Rollback(ctx))
				expectNote(t, ctx, tx, "tenant_a")
				require.NoError(t, tx.Commit(ctx))

				tx, err = f.db.Begin(ctx)
				require.NoError(t, err)
				_, err = tx.CopyFrom(ctx, c.table, c.cols, rows(c.id))
				expect(err)
				require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxCommitRollback)
			}
			expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
		})
	}
}

// After a statement that has changed the scope of the transaction, nothing is copied.
func TestCopyFromInATransactionWhoseScopeWasChanged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	for range 2 {
		err := f.db.InTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "select set_config('search_path', 'tenant_b', true)"); err != nil {
				return err
			}
			return copyNote(ctx, tx)
		})
		require.ErrorIs(t, err, schemactx.ErrScopeChanged)
		require.ErrorIs(t, err, schemactx.ErrTransactionEnded)
	}
	require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select set_config('work_mem', '1MB', true)"); err != nil { // suspect but harmless
			return err
		}
		return copyNote(ctx, tx)
	}))
}
