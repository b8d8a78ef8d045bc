package schemactx_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestSavepoints(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		require.NoError(t, insertNote(ctx, tx))
		inner, err := tx.Begin(ctx)
		require.NoError(t, err)
		_, err = inner.Exec(ctx, "insert into notes values (3, 'taken back')")
		require.NoError(t, err)
		_, err = inner.Exec(ctx, "select 1/0")
		expectState(t, err, "22012")
		require.NoError(t, inner.Rollback(ctx))
		assert.ErrorIs(t, inner.Rollback(ctx), pgx.ErrTxClosed)
		_, err = inner.Exec(ctx, "select 1")
		assert.ErrorIs(t, err, pgx.ErrTxClosed)
		expectNote(t, ctx, tx, "tenant_a") // the scope holds

		kept, err := tx.Begin(ctx)
		require.NoError(t, err)
		deeper, err := kept.Begin(ctx)
		require.NoError(t, err)
		_, err = deeper.Exec(ctx, "insert into notes values (4, 'kept')")
		require.NoError(t, err)
		require.NoError(t, deeper.Commit(ctx))
		require.NoError(t, kept.Commit(ctx))

		unused, err := tx.Begin(ctx)
		require.NoError(t, err)
		require.NoError(t, unused.Commit(ctx))

		broken, err := tx.Begin(ctx)
		require.NoError(t, err)
		_, err = broken.Exec(ctx, "select 1/0")
		expectState(t, err, "22012")
		assert.ErrorIs(t, broken.Commit(ctx), pgx.ErrTxCommitRollback)
		expectNote(t, ctx, tx, "tenant_a")
		return nil
	}))
	var ids []int
	rows, err := f.db.Query(ctx, "select id from notes order by id")
	require.NoError(t, err)
	ids, err = pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	if assert.Len(t, ids, 3, "notes %v, want 1, 2 and 4", ids) {
		assert.Equal(t, 4, ids[2], "notes %v, want 1, 2 and 4", ids)
	}
}

func TestSavepointEndsWithItsTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	tx, err := f.db.Begin(ctx)
	require.NoError(t, err)
	inner, err := tx.Begin(ctx)
	require.NoError(t, err)
	expectNote(t, ctx, inner, "tenant_a")
	require.NoError(t, tx.Rollback(ctx))
	_, err = inner.Exec(ctx, "select 1")
	assert.ErrorIs(t, err, pgx.ErrTxClosed)
	assert.ErrorIs(t, inner.Commit(ctx), pgx.ErrTxClosed)
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
}

func TestPgxBeginFuncWorks(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	require.NoError(t, pgx.BeginFunc(ctx, f.db, func(tx pgx.Tx) error {
		return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return insertNote(ctx, tx) })
	}))
	assert.Equal(t, 2, f.notes(t, "tenant_a"), "notes, want 2")
}

func TestPreparedNameBelongsToItsTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	err := f.db.InTx(ctx, func(tx pgx.Tx) error {
		sd, err := tx.Prepare(ctx, "by_id", "select body from notes where id = $1")
		require.NoError(t, err)
		assert.Len(t, sd.ParamOIDs, 1, "description %+v", sd)
		assert.Len(t, sd.Fields, 1, "description %+v", sd)
		var body string
		require.NoError(t, tx.QueryRow(ctx, "by_id", 1).Scan(&body))
		assert.Equal(t, "tenant_a", body, "read")
		_, err = tx.Prepare(ctx, "gone", "set role none")
		assert.ErrorIs(t, err, schemactx.ErrScopeChanged)
		return nil
	})
	assert.ErrorIs(t, err, schemactx.ErrTransactionEnded)
}

func TestTransactionIsBusyWhileRowsAreOpen(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "select generate_series(1, 10)")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "select 1")
		assert.ErrorIs(t, err, schemactx.ErrTxBusy)
		assert.ErrorIs(t, tx.Commit(ctx), schemactx.ErrTxBusy)
		rows.Close()
		return insertNote(ctx, tx)
	}))
	assert.Equal(t, 2, f.notes(t, "tenant_a"), "notes, want 2")
}

// If goroutines use a transaction concurrently, none of them gets a connection that already belongs
// to another tenant.
func TestGoroutinesThatOutliveTheirTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	var wg sync.WaitGroup
	for range 20 {
		err := f.db.InTx(ctx, func(tx pgx.Tx) error {
			started := make(chan struct{})
			for i := range 4 {
				wg.Go(func() {
					for j := range 50 {
						if i == 0 && j == 1 {
							close(started)
						}
						body, _, err := note(ctx, tx)
						if err == nil {
							assert.Equal(t, "tenant_a", body, "read the note of %q", body)
						}
						if errors.Is(err, pgx.ErrTxClosed) {
							return
						}
					}
				})
			}
			<-started
			return errors.New("over, with statements running")
		})
		assert.Error(t, err, "no error")
		expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
	}
	wg.Wait()
}

func TestTransactionRunsAgainAfterASerializationFailure(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{}, 2)
	ctx := in(t, "tenant_a")
	opts := schemactx.TxOptions{TxOptions: pgx.TxOptions{IsoLevel: pgx.Serializable}, MaxRetries: 3}
	runs := 0
	require.NoError(t, db.InTxOptions(ctx, opts, func(tx pgx.Tx) error {
		runs++
		var n int
		if err := tx.QueryRow(ctx, "select count(*) from notes").Scan(&n); err != nil {
			return err
		}
		if runs == 1 { // another connection writes what was read
			_, err := db.Exec(ctx, "update notes set body = 'changed' where id = 1")
			require.NoError(t, err)
		}
		_, err := tx.Exec(ctx, "update notes set body = body || '!' where id = 1")
		return err
	}))
	retries := db.Stats().Retries
	assert.Equal(t, 2, runs, "%d runs, %d retries, want 2 and 1", runs, retries)
	assert.Equal(t, int64(1), retries)
	runs = 0
	err := db.InTxOptions(ctx, opts, func(pgx.Tx) error { runs++; return &pgconn.PgError{Code: "40P01"} })
	expectState(t, err, "40P01")
	assert.Equal(t, 4, runs)
	runs = 0
	_ = db.InTxOptions(ctx, opts, func(pgx.Tx) error { runs++; return errors.New("mine") })
	assert.Equal(t, 1, runs, "%d runs after an error of its own, want 1", runs)
}

func TestLargeObjectsAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	tx, err := f.db.Begin(ctx)
	require.NoError(t, err)
	defer func() {
		err, _ := recover().(error)
		assert.ErrorIs(t, err, schemactx.ErrLargeObjects, "panicked with %v", err)
		require.NoError(t, tx.Rollback(ctx))
	}()
	tx.LargeObjects()
}
