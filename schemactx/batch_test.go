package schemactx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// batchSender is a DB or a transaction.
type batchSender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func TestBatchRunsInTheSchemaOfItsContext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for range 2 { // cold, then warm
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			b := &pgx.Batch{}
			b.Queue("insert into notes values ($1, $2)", 2, "new of "+schema)
			b.Queue("select body from notes where id = @id", pgx.NamedArgs{"id": 1})
			b.Queue("select body from notes order by id")
			b.Queue("delete from notes where id = 2")
			res := f.db.SendBatch(in(t, schema), b)
			tag, err := res.Exec()
			require.NoError(t, err)
			assert.Equal(t, "INSERT 0 1", tag.String(), "tag %q", tag)
			var body string
			require.NoError(t, res.QueryRow().Scan(&body))
			rows, err := res.Query()
			require.NoError(t, err)
			bodies, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			if assert.Equal(t, schema, body, "in %s: read %q and %q", schema, body, bodies) &&
				assert.Len(t, bodies, 2, "in %s: read %q and %q", schema, body, bodies) {
				assert.Equal(t, "new of "+schema, bodies[1], "in %s: read %q and %q", schema, body, bodies)
			}
			require.NoError(t, res.Close())
			require.NoError(t, res.Close())
			_, err = res.Exec()
			assert.Error(t, err, "a closed batch has a result")
		}
	}
}

func TestBatchCallbacks(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var body string
	var affected int64
	b := &pgx.Batch{}
	b.Queue("select body from notes").QueryRow(func(row pgx.Row) error { return row.Scan(&body) })
	b.Queue("update notes set body = body").
		Exec(func(tag pgconn.CommandTag) error { affected = tag.RowsAffected(); return nil })
	b.Queue("select 1").Query(func(rows pgx.Rows) error { rows.Close(); return rows.Err() })
	require.NoError(t, f.db.SendBatch(in(t, "tenant_b"), b).Close())
	assert.Equal(t, "tenant_b", body, "read %q, %d rows updated", body, affected)
	assert.Equal(t, int64(1), affected, "read %q, %d rows updated", body, affected)
	mine := errors.New("mine")
	b = &pgx.Batch{}
	b.Queue("select 1").QueryRow(func(pgx.Row) error { return mine })
	b.Queue("select 1").QueryRow(func(pgx.Row) error { t.Error("called after an error"); return nil })
	assert.ErrorIs(t, f.db.SendBatch(in(t, "tenant_b"), b).Close(), mine)
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
}

func TestBatchThatFailsHasDoneNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, before, err := note(in(t, "tenant_a"), f.db)
	require.NoError(t, err)
	for _, last := range []string{"select 1/0", "select * from nowhere", "insert into notes values (1, 'twice')"} {
		b := &pgx.Batch{}
		b.Queue("update notes set body = 'lost'")
		b.Queue(last)
		b.Queue("update notes set body = 'lost too'")
		assert.Error(t, f.db.SendBatch(in(t, "tenant_a"), b).Close(), "%q did not fail", last)
		body, after, err := note(in(t, "tenant_a"), f.db)
		require.NoError(t, err)
		assert.Equal(t, "tenant_a", body, "after %q: read %q on backend %d, want %d", last, body, after, before)
		assert.Equal(t, before, after, "after %q: read %q on backend", last, body)
	}
}

func TestBatchRefusesStatementsThatLeaveTheScope(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, sql := range []string{"commit", "set role none", "begin", "discard all"} {
		b := &pgx.Batch{}
		b.Queue("update notes set body = 'lost'")
		b.Queue(sql)
		b.Queue("select * from tenant_b.notes")
		res := f.db.SendBatch(in(t, "tenant_a"), b)
		_, err := res.Exec()
		assert.ErrorIs(t, err, schemactx.ErrScopeChanged)
		assert.ErrorIs(t, res.Close(), schemactx.ErrScopeChanged)
		expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
	}
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	assert.ErrorIs(t, f.db.SendBatch(in(t, "tenant_a"), b).Close(), schemactx.ErrScopeChanged)
	assert.ErrorIs(t, f.db.SendBatch(t.Context(), &pgx.Batch{}).Close(), schemactx.ErrNoSchema)
	require.NoError(t, f.db.SendBatch(in(t, "tenant_a"), &pgx.Batch{}).Close())
}

func TestBatchInATransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	send := func(s batchSender, sql ...string) error {
		b := &pgx.Batch{}
		for _, q := range sql {
			b.Queue(q)
		}
		return s.SendBatch(ctx, b).Close()
	}
	require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		require.NoError(t, send(tx, "insert into notes values (2, 'x')", "insert into notes values (3, 'x')"))
		_, err := tx.Exec(ctx, "delete from notes where id = 3")
		return err
	}))
	assert.Equal(t, 2, f.notes(t, "tenant_a"), "notes, want 2")
	err := f.db.InTx(ctx, func(tx pgx.Tx) error {
		expectState(t, send(tx, "delete from notes", "select 1/0"), "22012")
		return nil
	})
	assert.ErrorIs(t, err, pgx.ErrTxCommitRollback)
	err = f.db.InTx(ctx, func(tx pgx.Tx) error {
		assert.ErrorIs(t, send(tx, "delete from notes", "commit"), schemactx.ErrTransactionEnded)
		return nil
	})
	assert.ErrorIs(t, err, schemactx.ErrTransactionEnded)
	require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue("select 1")
		res := tx.SendBatch(ctx, b)
		_, err := tx.Exec(ctx, "select 1")
		assert.ErrorIs(t, err, schemactx.ErrTxBusy)
		return res.Close()
	}))
	assert.Equal(t, 2, f.notes(t, "tenant_a"), "notes, want 2")
}

func TestBatchOfMoreStatementsThanTheCacheHolds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{StatementCacheCapacity: 2}, 1)
	for range 3 {
		b := &pgx.Batch{}
		for _, sql := range []string{"select 1", "select 2", "select 3", "select 4", "select 1"} {
			b.Queue(sql)
		}
		require.NoError(t, db.SendBatch(in(t, "tenant_a"), b).Close())
	}
	expectNote(t, in(t, "tenant_b"), db, "tenant_b")
}
