package schemactx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

// sender is a DB or a transaction.
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
			check(t, err)
			if tag.String() != "INSERT 0 1" {
				t.Errorf("tag %q", tag)
			}
			var body string
			check(t, res.QueryRow().Scan(&body))
			rows, err := res.Query()
			check(t, err)
			bodies, err := pgx.CollectRows(rows, pgx.RowTo[string])
			check(t, err)
			if body != schema || len(bodies) != 2 || bodies[1] != "new of "+schema {
				t.Errorf("in %s: read %q and %q", schema, body, bodies)
			}
			check(t, res.Close())
			check(t, res.Close())
			if _, err := res.Exec(); err == nil {
				t.Error("a closed batch has a result")
			}
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
	b.Queue("update notes set body = body").Exec(func(tag pgconn.CommandTag) error { affected = tag.RowsAffected(); return nil })
	b.Queue("select 1").Query(func(rows pgx.Rows) error { rows.Close(); return rows.Err() })
	check(t, f.db.SendBatch(in(t, "tenant_b"), b).Close())
	if body != "tenant_b" || affected != 1 {
		t.Errorf("read %q, %d rows updated", body, affected)
	}
	mine := errors.New("mine")
	b = &pgx.Batch{}
	b.Queue("select 1").QueryRow(func(pgx.Row) error { return mine })
	b.Queue("select 1").QueryRow(func(pgx.Row) error { t.Error("called after an error"); return nil })
	expectIs(t, f.db.SendBatch(in(t, "tenant_b"), b).Close(), mine)
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
}

func TestBatchThatFailsHasDoneNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, before, err := note(in(t, "tenant_a"), f.db)
	check(t, err)
	for _, last := range []string{"select 1/0", "select * from nowhere", "insert into notes values (1, 'twice')"} {
		b := &pgx.Batch{}
		b.Queue("update notes set body = 'lost'")
		b.Queue(last)
		b.Queue("update notes set body = 'lost too'")
		if err := f.db.SendBatch(in(t, "tenant_a"), b).Close(); err == nil {
			t.Errorf("%q did not fail", last)
		}
		body, after, err := note(in(t, "tenant_a"), f.db)
		check(t, err)
		if body != "tenant_a" || after != before {
			t.Errorf("after %q: read %q on backend %d, want %d", last, body, after, before)
		}
	}
}

func TestBatchRefusesWhatLeavesTheScope(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, sql := range []string{"commit", "set role none", "begin", "discard all"} {
		b := &pgx.Batch{}
		b.Queue("update notes set body = 'lost'")
		b.Queue(sql)
		b.Queue("select * from tenant_b.notes")
		res := f.db.SendBatch(in(t, "tenant_a"), b)
		_, err := res.Exec()
		expectIs(t, err, schemactx.ErrScopeChanged)
		expectIs(t, res.Close(), schemactx.ErrScopeChanged)
		expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
	}
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	expectIs(t, f.db.SendBatch(in(t, "tenant_a"), b).Close(), schemactx.ErrScopeChanged)
	expectIs(t, f.db.SendBatch(t.Context(), &pgx.Batch{}).Close(), schemactx.ErrNoSchema)
	check(t, f.db.SendBatch(in(t, "tenant_a"), &pgx.Batch{}).Close())
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
	check(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		check(t, send(tx, "insert into notes values (2, 'x')", "insert into notes values (3, 'x')"))
		_, err := tx.Exec(ctx, "delete from notes where id = 3")
		return err
	}))
	if n := f.notes(t, "tenant_a"); n != 2 {
		t.Errorf("%d notes, want 2", n)
	}
	err := f.db.InTx(ctx, func(tx pgx.Tx) error {
		expectState(t, send(tx, "delete from notes", "select 1/0"), "22012")
		return nil
	})
	expectIs(t, err, pgx.ErrTxCommitRollback)
	err = f.db.InTx(ctx, func(tx pgx.Tx) error {
		expectIs(t, send(tx, "delete from notes", "commit"), schemactx.ErrTransactionEnded)
		return nil
	})
	expectIs(t, err, schemactx.ErrTransactionEnded)
	check(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue("select 1")
		res := tx.SendBatch(ctx, b)
		_, err := tx.Exec(ctx, "select 1")
		expectIs(t, err, schemactx.ErrTxBusy)
		return res.Close()
	}))
	if n := f.notes(t, "tenant_a"); n != 2 {
		t.Errorf("%d notes, want 2", n)
	}
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
		check(t, db.SendBatch(in(t, "tenant_a"), b).Close())
	}
	expectNote(t, in(t, "tenant_b"), db, "tenant_b")
}
