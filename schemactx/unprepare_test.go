package schemactx_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// preparedStatements returns the number of prepared statements on the DB's connection, without
// internal ones.
func preparedStatements(t *testing.T, db *schemactx.DB) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(in(t, "tenant_a"),
		"select count(*) from pg_prepared_statements where name not like 'pgtenant_own_%'", pgx.QueryExecModeExec).Scan(&n))
	return n
}

// failingBatch has statements that can be prepared before one that cannot. The connection has seen
// none of them before.
func failingBatch(i int, failing string) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(fmt.Sprintf("select body, %d from notes", i))
	b.Queue(fmt.Sprintf("update notes set body = body where id = %d", -i))
	b.Queue(failing)
	b.Queue(fmt.Sprintf("select %d", i))
	return b
}

func TestFailedPrepareLeavesNothingPrepared(t *testing.T) {
	t.Parallel()
	const times = 1_000
	inTx := func(f func(ctx context.Context, tx pgx.Tx, i int) error) func(context.Context, *schemactx.DB, int) error {
		return func(ctx context.Context, db *schemactx.DB, i int) error {
			return db.InTx(ctx, func(tx pgx.Tx) error { return f(ctx, tx, i) })
		}
	}
	for name, fail := range map[string]func(ctx context.Context, db *schemactx.DB, i int) error{
		"batch, no such table": func(ctx context.Context, db *schemactx.DB, i int) error {
			return db.SendBatch(ctx, failingBatch(i, "select * from missing")).Close()
		},
		"batch, no such column": func(ctx context.Context, db *schemactx.DB, i int) error {
			return db.SendBatch(ctx, failingBatch(i, fmt.Sprintf("select missing_%d from notes", i))).Close()
		},
		"batch, syntax": func(ctx context.Context, db *schemactx.DB, i int) error {
			return db.SendBatch(ctx, failingBatch(i, "selekt 1")).Close()
		},
		"statement": func(ctx context.Context, db *schemactx.DB, i int) error {
			_, err := db.Exec(ctx, fmt.Sprintf("select missing_%d from notes", i))
			return err
		},
		"copy": func(ctx context.Context, db *schemactx.DB, i int) error {
			_, err := db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{fmt.Sprintf("missing_%d", i)}, rowsOf())
			return err
		},
		"batch in a transaction": inTx(func(ctx context.Context, tx pgx.Tx, i int) error {
			return tx.SendBatch(ctx, failingBatch(i, "select * from missing")).Close()
		}),
		"batch in a savepoint": inTx(func(ctx context.Context, tx pgx.Tx, i int) error {
			if _, err := tx.Exec(ctx, "select 1"); err != nil {
				return err
			}
			inner, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			failed := inner.SendBatch(ctx, failingBatch(i, "select * from missing")).Close()
			if err := inner.Rollback(ctx); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "select 1"); err != nil { // the transaction continues
				return err
			}
			return failed
		}),
		"Tx.Prepare": inTx(func(ctx context.Context, tx pgx.Tx, i int) error {
			_, err := tx.Prepare(ctx, "name", fmt.Sprintf("select missing_%d from notes", i))
			return err
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			ctx := in(t, "tenant_a")
			require.Error(t, fail(ctx, f.db, 0))
			before := preparedStatements(t, f.db)
			for i := range times {
				var state interface{ SQLState() string }
				require.ErrorAs(t, fail(ctx, f.db, i+1), &state, "an error of the server, and no other")
			}
			require.LessOrEqual(t, preparedStatements(t, f.db), before)
			expectNote(t, ctx, f.db, "tenant_a")
		})
	}
}

// If the end of the context interrupts a prepare, the connection is closed, and with it the
// prepared statements.
func TestPrepareThatIsCancelledLeavesNothingPrepared(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
	require.NoError(t, err)
	cfg.MaxConns = 1
	db := f.openWith(t, cfg, schemactx.Config{})
	lock, err := f.owner.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = lock.Rollback(context.Background()) }()
	_, err = lock.Exec(t.Context(), "create table tenant_a.locked (id int); lock table tenant_a.notes")
	require.NoError(t, err)
	for i := range 3 {
		ctx, cancel := context.WithCancel(in(t, "tenant_a"))
		b := &pgx.Batch{}
		b.Queue(fmt.Sprintf("select %d", i))
		b.Queue("select * from notes") // waits for the lock while it is parsed
		go func() {
			defer cancel()
			for waiting := 0; waiting == 0; {
				if f.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_locks where not granted").Scan(&waiting) != nil {
					return
				}
			}
		}()
		require.Error(t, db.SendBatch(ctx, b).Close())
	}
	require.NoError(t, lock.Rollback(t.Context()))
	require.Zero(t, preparedStatements(t, db))
}
