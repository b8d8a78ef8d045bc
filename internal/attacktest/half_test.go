package attacktest

import (
	"context"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
)

// leavesHalfDone returns an attack in which a stops in the middle of a transaction, after an insert
// that is not committed. It succeeds if the row exists afterwards, or if b cannot read its own
// secret.
func leavesHalfDone(stop func(a *attempt, ctx context.Context, tx pgx.Tx) error) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		done := make(chan struct{})
		go func() { // a goroutine that may panic or exit
			defer close(done)
			defer func() { _ = recover() }()
			ctx, cancel := context.WithTimeout(a.in("tenant_a"), time.Minute)
			defer cancel()
			_ = a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, sql[0])
				a.met(err)
				return stop(a, ctx, tx)
			})
		}()
		<-done
		a.alone("tenant_b", "select body from secrets")
		fine := a.got(a.secretB) && !a.got(a.secretA)
		a.loot.Reset()
		a.alone("tenant_a", "select body from items")
		return !fine || a.got("half done")
	}
}

func panics(*attempt, context.Context, pgx.Tx) error { panic("mine") }

func exits(*attempt, context.Context, pgx.Tx) error {
	runtime.Goexit()
	return nil
}

func cancelsInQuery(_ *attempt, ctx context.Context, tx pgx.Tx) error {
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := tx.Exec(short, "select pg_sleep(5)")
	return err
}

func leavesRowsUnread(_ *attempt, ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "select body from secrets, generate_series(1, 50000)")
	if err != nil {
		return err
	}
	rows.Next()
	return errMine
}

func cancelsInCopy(_ *attempt, ctx context.Context, tx pgx.Tx) error {
	short, cancel := context.WithCancel(ctx)
	n := 0
	_, err := tx.CopyFrom(short, pgx.Identifier{"items"}, []string{"body"}, pgx.CopyFromFunc(func() ([]any, error) {
		if n++; n == 1000 {
			cancel()
		}
		return []any{"half done"}, nil
	}))
	cancel()
	return err
}

// copiesFromStdin runs COPY FROM STDIN by Exec, which has no rows to send. The call must end when
// its context ends.
func copiesFromStdin(_ *attempt, ctx context.Context, tx pgx.Tx) error {
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err := tx.Exec(short, "copy items (body) from stdin")
	return err
}
