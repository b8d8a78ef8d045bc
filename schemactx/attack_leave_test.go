package schemactx_test

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// The ways of leaving a scope that a statement alone cannot show.

// readsAfter returns the way in which a runs its statement in a transaction and then
// reads there.
func readsAfter(read string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		a.inTx("tenant_a", sql[0], read)
		return a.got(a.secretB)
	}
}

// readsAfterError goes on in a transaction in which the first statement has failed.
func readsAfterError(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	_ = a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sql[0]); err == nil {
			a.t.Error("the statement that should fail did not")
		}
		a.take(ctx, tx, sql[1])
		return nil
	})
	return a.got(a.secretB)
}

// readsSimple asks for the protocol in which a string may hold several statements.
func readsSimple(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	a.take(ctx, a.db(ctx), sql[0], pgx.QueryExecModeSimpleProtocol)
	return a.got(a.secretB)
}

type (
	copier interface {
		CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
	}
	batcher interface {
		SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	}
	nester interface {
		Begin(ctx context.Context) (pgx.Tx, error)
	}
)

// batch runs statements in one batch, reading every result.
func (a *attempt) batch(sql []string) {
	ctx := a.in("tenant_a")
	db, ok := any(a.db(ctx)).(batcher)
	if !ok {
		a.met(errNoAPI)
		return
	}
	b := &pgx.Batch{}
	for _, s := range sql {
		b.Queue(s)
	}
	res := db.SendBatch(ctx, b)
	for range sql {
		rows, err := res.Query()
		a.met(err)
		if err != nil {
			continue
		}
		for rows.Next() {
			for _, value := range rows.RawValues() {
				a.loot.Write(value)
			}
		}
		rows.Close()
		a.met(rows.Err())
	}
	a.met(res.Close())
}

func readsInBatch(a *attempt, sql []string) bool {
	a.batch(sql)
	return a.got(a.secretB)
}

func changesInBatch(a *attempt, sql []string) bool {
	before := a.stateOfB(a.t)
	a.batch(sql)
	return a.stateOfB(a.t) != before
}

// readsWithoutScope: a runs the first statement; when b has used the connection too, the
// second runs on it without any scope, as a mistake of the library's would.
func readsWithoutScope(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql[0])
	if !a.column.shared {
		return false
	}
	a.alone("tenant_b", "select 1")
	a.loot.Reset()
	a.take(a.ctx, a.pool, sql[1])
	return a.got(a.secretB)
}

// readsAfterSavepoint returns the way in which the first statement runs in a nested
// transaction, which ends, and the second after it.
func readsAfterSavepoint(release bool) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		ctx := a.in("tenant_a")
		err := a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
			outer, ok := any(tx).(nester)
			if !ok {
				return errNoAPI
			}
			nested, err := outer.Begin(ctx)
			if err != nil {
				return err
			}
			a.take(ctx, nested, sql[0])
			if end := nested.Rollback; !release {
				err = end(ctx)
			} else {
				err = nested.Commit(ctx)
			}
			a.met(err)
			a.take(ctx, tx, sql[1])
			return nil
		})
		a.met(err)
		return a.got(a.secretB)
	}
}

var errMine = errors.New("mine")

// readsKeptRows reads on in rows whose transaction is over, while b uses the connection.
func readsKeptRows(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	var rows pgx.Rows
	_ = a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		var err error
		rows, err = tx.Query(ctx, sql[0])
		check(a.t, err)
		rows.Next()
		return errMine
	})
	other := a.in("tenant_b")
	theirs, err := a.db(other).Query(other, "select body from secrets")
	check(a.t, err)
	for rows.Next() {
		for _, value := range rows.RawValues() {
			a.loot.Write(value)
		}
	}
	a.met(rows.Err())
	theirs.Close()
	return a.got(a.secretB)
}

// readsKeptTx uses a transaction that is over, while b has one open on the connection.
func readsKeptTx(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	var kept pgx.Tx
	check(a.t, a.db(ctx).InTx(ctx, func(tx pgx.Tx) error { kept = tx; return nil }))
	other := a.in("tenant_b")
	check(a.t, a.db(other).InTx(other, func(pgx.Tx) error {
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.take(ctx, kept, sql[0])
			a.met(kept.Commit(ctx))
		}()
		<-done
		return nil
	}))
	return a.got(a.secretB)
}

// readsKeptBatch reads the results of a batch whose transaction is over, while b has a
// transaction open on the connection.
func readsKeptBatch(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	var kept pgx.BatchResults
	_ = a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		outer, ok := any(tx).(batcher)
		if !ok {
			a.met(errNoAPI)
			return nil
		}
		b := &pgx.Batch{}
		b.Queue(sql[0])
		b.Queue(sql[0])
		kept = outer.SendBatch(ctx, b)
		return errMine
	})
	if kept == nil {
		return false
	}
	other := a.in("tenant_b")
	theirs, err := a.db(other).Query(other, "select body from secrets")
	check(a.t, err)
	for range 2 {
		var body string
		a.met(kept.QueryRow().Scan(&body))
		a.loot.WriteString(body)
	}
	_ = kept.Close()
	theirs.Close()
	return a.got(a.secretB)
}

// readsSoon is reads for statements that might hang.
func readsSoon(a *attempt, sql []string) bool {
	ctx, cancel := context.WithTimeout(a.ctx, time.Second)
	defer cancel()
	a.ctx = ctx
	return reads(a, sql)
}

func readsWithoutTenant(a *attempt, sql []string) bool {
	a.take(a.ctx, a.db(a.ctx), sql[0])
	return a.got(a.secretB)
}

func readsInTxOfOther(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	a.met(a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		a.take(a.in("tenant_b"), tx, sql[0])
		return nil
	}))
	return a.got(a.secretB)
}
