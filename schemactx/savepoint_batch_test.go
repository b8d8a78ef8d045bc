package schemactx_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// A batch that is sent again, because a prepared statement was stale, does its savepoint statements
// once.
func TestBatchThatIsSentAgainKeepsItsSavepoints(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	const read = "select body from notes"
	var body string
	require.NoError(t, f.db.QueryRow(ctx, read).Scan(&body)) // prepares it
	f.exec(t, "alter table tenant_a.notes alter body type varchar(100)")
	tx, err := f.db.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	batch := &pgx.Batch{}
	for _, sql := range []string{"savepoint b", read, "rollback to b", "update notes set body = 'new'", "release b"} {
		batch.Queue(sql)
	}
	require.NoError(t, tx.SendBatch(ctx, batch).Close())
	_, err = tx.Exec(ctx, "rollback to b")
	require.Error(t, err, "the savepoint was released")
	require.NoError(t, tx.Rollback(ctx))

	f.exec(t, "alter table tenant_a.notes alter body type text")
	tx, err = f.db.Begin(ctx)
	require.NoError(t, err)
	batch = &pgx.Batch{}
	for _, sql := range []string{"savepoint b", read, "update notes set body = 'undone'"} {
		batch.Queue(sql)
	}
	require.NoError(t, tx.SendBatch(ctx, batch).Close())
	_, err = tx.Exec(ctx, "rollback to b")
	require.NoError(t, err)
	require.NoError(t, tx.Commit(ctx))
	require.NoError(t, f.db.QueryRow(ctx, read).Scan(&body))
	require.Equal(t, "tenant_a", body)
}

// A batch can begin with a ROLLBACK TO in a failed transaction, also on a connection that has not
// loaded the tenant's types yet.
func TestABatchRecoversWithTypes(t *testing.T) {
	t.Parallel()
	f := savepointFixture(t)
	db, ctx := f.open(t, schemactx.Config{Types: []string{"mood"}}, 1), in(t, "tenant_a")
	require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SAVEPOINT a"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "select 1 / 0")
		require.True(t, hasState(err, "22012"), err)
		b := &pgx.Batch{}
		b.Queue("ROLLBACK TO a")
		b.Queue("select body from notes").QueryRow(func(row pgx.Row) error {
			var body string
			defer func() { require.Equal(t, "tenant_a", body) }()
			return row.Scan(&body)
		})
		return tx.SendBatch(ctx, b).Close()
	}))
}
