package schemactx_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

func TestSavepoints(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	check(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		check(t, insertNote(ctx, tx))
		inner, err := tx.Begin(ctx)
		check(t, err)
		_, err = inner.Exec(ctx, "insert into notes values (3, 'taken back')")
		check(t, err)
		_, err = inner.Exec(ctx, "select 1/0")
		expectState(t, err, "22012")
		check(t, inner.Rollback(ctx))
		expectIs(t, inner.Rollback(ctx), pgx.ErrTxClosed)
		_, err = inner.Exec(ctx, "select 1")
		expectIs(t, err, pgx.ErrTxClosed)
		expectNote(t, ctx, tx, "tenant_a") // the scope holds

		kept, err := tx.Begin(ctx)
		check(t, err)
		deeper, err := kept.Begin(ctx)
		check(t, err)
		_, err = deeper.Exec(ctx, "insert into notes values (4, 'kept')")
		check(t, err)
		check(t, deeper.Commit(ctx))
		check(t, kept.Commit(ctx))

		unused, err := tx.Begin(ctx)
		check(t, err)
		check(t, unused.Commit(ctx))

		broken, err := tx.Begin(ctx)
		check(t, err)
		_, err = broken.Exec(ctx, "select 1/0")
		expectState(t, err, "22012")
		expectIs(t, broken.Commit(ctx), pgx.ErrTxCommitRollback)
		expectNote(t, ctx, tx, "tenant_a")
		return nil
	}))
	var ids []int
	rows, err := f.db.Query(ctx, "select id from notes order by id")
	check(t, err)
	ids, err = pgx.CollectRows(rows, pgx.RowTo[int])
	check(t, err)
	if len(ids) != 3 || ids[2] != 4 {
		t.Errorf("notes %v, want 1, 2 and 4", ids)
	}
}

func TestSavepointEndsWithItsTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	tx, err := f.db.Begin(ctx)
	check(t, err)
	inner, err := tx.Begin(ctx)
	check(t, err)
	expectNote(t, ctx, inner, "tenant_a")
	check(t, tx.Rollback(ctx))
	_, err = inner.Exec(ctx, "select 1")
	expectIs(t, err, pgx.ErrTxClosed)
	expectIs(t, inner.Commit(ctx), pgx.ErrTxClosed)
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
}

func TestPgxBeginFuncWorks(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	check(t, pgx.BeginFunc(ctx, f.db, func(tx pgx.Tx) error {
		return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return insertNote(ctx, tx) })
	}))
	if n := f.notes(t, "tenant_a"); n != 2 {
		t.Errorf("%d notes, want 2", n)
	}
}

func TestPreparedNameBelongsToItsTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	err := f.db.InTx(ctx, func(tx pgx.Tx) error {
		sd, err := tx.Prepare(ctx, "by_id", "select body from notes where id = $1")
		check(t, err)
		if len(sd.ParamOIDs) != 1 || len(sd.Fields) != 1 {
			t.Errorf("description %+v", sd)
		}
		var body string
		check(t, tx.QueryRow(ctx, "by_id", 1).Scan(&body))
		if body != "tenant_a" {
			t.Errorf("read %q", body)
		}
		_, err = tx.Prepare(ctx, "gone", "set role none")
		expectIs(t, err, schemactx.ErrScopeChanged)
		return nil
	})
	expectIs(t, err, schemactx.ErrTransactionEnded)
}

func TestTransactionIsBusyWhileRowsAreOpen(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	check(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "select generate_series(1, 10)")
		check(t, err)
		_, err = tx.Exec(ctx, "select 1")
		expectIs(t, err, schemactx.ErrTxBusy)
		expectIs(t, tx.Commit(ctx), schemactx.ErrTxBusy)
		rows.Close()
		return insertNote(ctx, tx)
	}))
	if n := f.notes(t, "tenant_a"); n != 2 {
		t.Errorf("%d notes, want 2", n)
	}
}

// Whatever goroutines do with a transaction that they were not given to share, none of them gets a connection that is
// another tenant's by then.
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
						if err == nil && body != "tenant_a" {
							t.Errorf("read the note of %q", body)
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
		if err == nil {
			t.Error("no error")
		}
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
	check(t, db.InTxOptions(ctx, opts, func(tx pgx.Tx) error {
		runs++
		var n int
		if err := tx.QueryRow(ctx, "select count(*) from notes").Scan(&n); err != nil {
			return err
		}
		if runs == 1 { // somebody else writes what was read
			_, err := db.Exec(ctx, "update notes set body = 'changed' where id = 1")
			check(t, err)
		}
		_, err := tx.Exec(ctx, "update notes set body = body || '!' where id = 1")
		return err
	}))
	if retries := db.Stats().Retries; runs != 2 || retries != 1 {
		t.Errorf("%d runs, %d retries, want 2 and 1", runs, retries)
	}
	runs = 0
	err := db.InTxOptions(ctx, opts, func(pgx.Tx) error { runs++; return &pgconn.PgError{Code: "40P01"} })
	expectState(t, err, "40P01")
	if runs != 4 {
		t.Errorf("%d runs, want 4", runs)
	}
	runs = 0
	_ = db.InTxOptions(ctx, opts, func(pgx.Tx) error { runs++; return errors.New("mine") })
	if runs != 1 {
		t.Errorf("%d runs after an error of its own, want 1", runs)
	}
}

func TestLargeObjectsAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	tx, err := f.db.Begin(ctx)
	check(t, err)
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, schemactx.ErrLargeObjects) {
			t.Errorf("panicked with %v", err)
		}
		check(t, tx.Rollback(ctx))
	}()
	tx.LargeObjects()
}
