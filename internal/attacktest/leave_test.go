package attacktest

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// Attacks that leave a scope and that a statement alone cannot show. Most succeed if a gets b's
// secret.

// readsAfter returns an attack that runs its statement in a transaction of a and then read in the
// same transaction.
func readsAfter(read string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		a.inTx("tenant_a", sql[0], read)
		return a.got(a.secretB)
	}
}

// readsAfterError runs the second statement in a transaction in which the first has failed.
func readsAfterError(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	_ = a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql[0])
		assert.Error(a.t, err, "the statement that should fail did not")
		a.take(ctx, tx, sql[1])
		return nil
	})
	return a.got(a.secretB)
}

// readsSimple uses the simple protocol, in which a string may hold several statements.
func readsSimple(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	a.take(ctx, a.db(ctx), sql[0], pgx.QueryExecModeSimpleProtocol)
	return a.got(a.secretB)
}

// batch runs the statements in one batch, each with the options, and reads every result.
func (a *attempt) batch(sql []string, options ...any) {
	ctx := a.in("tenant_a")
	b := &pgx.Batch{}
	for _, s := range sql {
		b.Queue(s, options...)
	}
	res := a.db(ctx).SendBatch(ctx, b)
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

// readsInUnpreparedBatch makes PostgreSQL parse each statement after the one before it has run.
func readsInUnpreparedBatch(a *attempt, sql []string) bool {
	a.batch(sql, pgx.QueryExecModeExec)
	return a.got(a.secretB)
}

func changesInBatch(a *attempt, sql []string) bool {
	before := a.stateOfB(a.t)
	a.batch(sql)
	return a.stateOfB(a.t) != before
}

// readsWithoutScope runs the first statement as a. It then runs the second on the pool's connection
// without a scope, as other code with the same pool would.
func readsWithoutScope(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql[0])
	if !a.column.shared {
		return false
	}
	a.loot.Reset()
	a.take(a.ctx, a.pool, sql[1])
	return a.got(a.secretB)
}

// readsAfterSavepoint returns an attack that runs the first statement in a nested transaction and
// the second after its end.
func readsAfterSavepoint(release bool) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		ctx := a.in("tenant_a")
		err := a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
			nested, err := tx.Begin(ctx)
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

// readsKeptRows continues to read rows of a transaction that has ended, while b uses the
// connection.
func readsKeptRows(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	var rows pgx.Rows
	_ = a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		var err error
		rows, err = tx.Query(ctx, sql[0])
		require.NoError(a.t, err)
		rows.Next()
		return errMine
	})
	other := a.in("tenant_b")
	theirs, err := a.db(other).Query(other, "select body from secrets")
	require.NoError(a.t, err)
	for rows.Next() {
		for _, value := range rows.RawValues() {
			a.loot.Write(value)
		}
	}
	a.met(rows.Err())
	theirs.Close()
	return a.got(a.secretB)
}

// readsKeptTx uses a transaction that has ended, while b has one open on the connection.
func readsKeptTx(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	var kept pgx.Tx
	require.NoError(a.t, a.db(ctx).InTx(ctx, func(tx pgx.Tx) error { kept = tx; return nil }))
	other := a.in("tenant_b")
	require.NoError(a.t, a.db(other).InTx(other, func(pgx.Tx) error {
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

// readsKeptBatch reads the results of a batch of a transaction that has ended, while b reads rows
// on the connection.
func readsKeptBatch(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	var kept pgx.BatchResults
	_ = a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(sql[0])
		b.Queue(sql[0])
		kept = tx.SendBatch(ctx, b)
		return errMine
	})
	other := a.in("tenant_b")
	theirs, err := a.db(other).Query(other, "select body from secrets")
	require.NoError(a.t, err)
	for range 2 {
		var body string
		a.met(kept.QueryRow().Scan(&body))
		a.loot.WriteString(body)
	}
	_ = kept.Close()
	theirs.Close()
	return a.got(a.secretB)
}

// readsFromTwo uses one transaction in two goroutines, first while one has rows open, and then as
// fast as possible. It succeeds if one gets an answer of the other.
func readsFromTwo(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	var foreign atomic.Bool
	require.NoError(a.t, a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql[0], "first ")
		require.NoError(a.t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.take(ctx, tx, sql[0], "second ")
		}()
		<-done
		rows.Close()
		var both sync.WaitGroup
		for _, mine := range []string{"one ", "two "} {
			both.Go(func() {
				for range 200 {
					var got string
					err := tx.QueryRow(ctx, sql[0], mine).Scan(&got)
					if err == nil && got != mine+a.secretA || err != nil && !errors.Is(err, schemactx.ErrTxBusy) {
						a.t.Logf("%q: %q, %v", mine, got, err)
						foreign.Store(true)
					}
				}
			})
		}
		both.Wait()
		return nil
	}))
	return foreign.Load() || a.got(a.secretA)
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
