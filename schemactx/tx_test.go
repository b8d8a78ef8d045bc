package schemactx_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// notes returns the number of rows in a tenant's table.
func (f *fixture) notes(t *testing.T, schema string) int {
	t.Helper()
	var n int
	require.NoError(t, f.db.QueryRow(in(t, schema), "select count(*) from notes").Scan(&n))
	return n
}

func insertNote(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "insert into notes values ($1, 'new')", 2)
	return err
}

func TestInTxCommitsOnNil(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		expectNote(t, ctx, tx, "tenant_a")
		return insertNote(ctx, tx)
	}))
	a, b := f.notes(t, "tenant_a"), f.notes(t, "tenant_b")
	assert.Equal(t, 2, a, "%d and %d notes, want 2 and 1", a, b)
	assert.Equal(t, 1, b, "%d and %d notes, want 2 and 1", a, b)
}

func TestInTxRollsBack(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	mine := errors.New("mine")
	err := f.db.InTx(ctx, func(tx pgx.Tx) error {
		require.NoError(t, insertNote(ctx, tx))
		return mine
	})
	assert.ErrorIs(t, err, mine)

	func() {
		defer func() { _ = recover() }()
		_ = f.db.InTx(ctx, func(tx pgx.Tx) error {
			require.NoError(t, insertNote(ctx, tx))
			panic("mine")
		})
	}()

	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f.db.InTx(ctx, func(tx pgx.Tx) error {
			_ = insertNote(ctx, tx)
			runtime.Goexit()
			return nil
		})
	}()
	<-done

	short, cancel := context.WithCancel(ctx)
	err = f.db.InTx(short, func(tx pgx.Tx) error {
		require.NoError(t, insertNote(short, tx))
		cancel()
		return nil
	})
	assert.ErrorIs(t, err, context.Canceled)

	err = f.db.InTx(ctx, func(tx pgx.Tx) error {
		require.NoError(t, insertNote(ctx, tx))
		_, err := tx.Exec(ctx, "select 1/0")
		expectState(t, err, "22012")
		_, err = tx.Exec(ctx, "select 1")
		expectState(t, err, "25P02")
		return nil
	})
	assert.ErrorIs(t, err, pgx.ErrTxCommitRollback)

	assert.Equal(t, 1, f.notes(t, "tenant_a"), "notes, want the one from before")
}

// A transaction whose connection was lost has not been committed, even if its first statement was
// interrupted.
func TestCommitOfATransactionWhoseFirstStatementWasCancelled(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	const sleep = "select pg_sleep($1)"
	_, err := f.db.Exec(ctx, sleep, 0) // so that BEGIN and the statement are sent together
	require.NoError(t, err)
	tx, err := f.db.Begin(ctx)
	require.NoError(t, err)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = tx.Exec(short, sleep, 20)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxCommitRollback)
	assert.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxClosed)
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
}

func TestTransactionEndedByItsOwnStatement(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	for _, sql := range []string{
		"commit", "rollback", "commit and chain", "rollback and chain", "set local role none", "reset role",
	} {
		_, before, err := note(ctx, f.db)
		require.NoError(t, err)
		err = f.db.InTx(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, sql)
			assert.ErrorIs(t, err, schemactx.ErrTransactionEnded)
			_, err = tx.Exec(ctx, "select 1")
			assert.ErrorIs(t, err, schemactx.ErrTransactionEnded)
			return nil // the error is returned again to a caller who ignores it
		})
		assert.ErrorIs(t, err, schemactx.ErrTransactionEnded)
		body, after, err := note(in(t, "tenant_b"), f.db)
		require.NoError(t, err)
		// the statement was not sent, so the connection is kept
		assert.Equal(t, "tenant_b", body, "after %q: read %s on backend %d (before: %d)", sql, body, after, before)
		assert.Equal(t, before, after, "after %q: read %s on backend %d (before", sql, body, after)
		require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
			require.NoError(t, insertNote(ctx, tx))
			_, err := tx.Exec(ctx, "delete from notes where id = 2")
			return err
		}))
	}
}

func TestTransactionBelongsToOneSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := in(t, "tenant_a")
	require.NoError(t, f.db.InTx(a, func(tx pgx.Tx) error {
		_, err := tx.Exec(in(t, "tenant_b"), "select 1")
		assert.ErrorIs(t, err, schemactx.ErrSchemaMismatch)
		_, err = tx.Exec(schemactx.NewPublicContext(a), "select 1")
		assert.ErrorIs(t, err, schemactx.ErrSchemaMismatch)
		_, err = tx.Exec(t.Context(), "select 1")
		assert.ErrorIs(t, err, schemactx.ErrNoSchema)
		expectNote(t, a, tx, "tenant_a")
		return nil
	}))
}

func TestTransactionIsOverAfterItsEnd(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	var kept pgx.Tx
	var rows pgx.Rows
	_ = f.db.InTx(ctx, func(tx pgx.Tx) error {
		kept = tx
		var err error
		rows, err = tx.Query(ctx, "select generate_series(1, 100000)")
		require.NoError(t, err)
		return errors.New("with unread rows")
	})
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b") // another tenant uses the connection
	n := 0
	for rows.Next() {
		n++
	}
	assert.Error(t, rows.Err(), "read all of %d rows after the transaction was over", n)
	_, err := kept.Exec(ctx, "select 1")
	assert.ErrorIs(t, err, pgx.ErrTxClosed)
	assert.ErrorIs(t, kept.Commit(ctx), pgx.ErrTxClosed)
	assert.ErrorIs(t, kept.Rollback(ctx), pgx.ErrTxClosed)
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
}

func TestTransactionOptions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	opts := schemactx.TxOptions{
		TxOptions: pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable},
	}
	require.NoError(t, f.db.InTxOptions(ctx, opts, func(tx pgx.Tx) error {
		var got [3]string
		require.NoError(t,
			tx.QueryRow(ctx, `select current_setting('transaction_isolation'), current_setting('transaction_read_only'),
			current_setting('transaction_deferrable')`).Scan(&got[0], &got[1], &got[2]))
		assert.Equal(t, [3]string{"serializable", "on", "on"}, got)
		return nil
	}))
	for _, bad := range []pgx.TxOptions{
		{BeginQuery: "begin; set role x"},
		{CommitQuery: "rollback"},
		{IsoLevel: "serializable; drop table notes"},
		{AccessMode: "x"},
		{DeferrableMode: "x"},
	} {
		_, err := f.db.BeginTx(ctx, bad)
		assert.Error(t, err, "options %+v were not refused", bad)
	}
}
