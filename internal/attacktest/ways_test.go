package attacktest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// Functions that carry out an attack. Each judges by content whether it succeeds.

// reads runs each statement as a unit of work of a. It succeeds if a gets b's secret.
func reads(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql...)
	return a.got(a.secretB)
}

// readsInTx runs the statements in one transaction of a. It succeeds if a gets b's secret.
func readsInTx(a *attempt, sql []string) bool {
	a.inTx("tenant_a", sql...)
	return a.got(a.secretB)
}

// sees returns an attack that succeeds if a gets text.
func sees(text string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		a.alone("tenant_a", sql...)
		return a.got(a.named(text))
	}
}

// changes runs each statement as a unit of work of a. It succeeds if the state of b changes.
func changes(a *attempt, sql []string) bool {
	before := a.stateOfB(a.t)
	a.alone("tenant_a", sql...)
	return a.stateOfB(a.t) != before
}

// inherits runs all statements but the last as b and the last as a. It succeeds if a gets b's
// secret.
func inherits(a *attempt, sql []string) bool {
	last := len(sql) - 1
	a.alone("tenant_b", sql[:last]...)
	a.loot.Reset()
	a.alone("tenant_a", sql[last])
	return a.got(a.secretB)
}

// leaves returns an attack that runs all statements but the last as a and the last as b. It
// succeeds if b gets text.
func leaves(text string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		last := len(sql) - 1
		a.alone("tenant_a", sql[:last]...)
		a.loot.Reset()
		a.alone("tenant_b", sql[last])
		return a.got(a.named(text))
	}
}

// leavesInTx is leaves with a's statements in one transaction.
func leavesInTx(text string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		last := len(sql) - 1
		a.inTx("tenant_a", sql[:last]...)
		a.loot.Reset()
		a.alone("tenant_b", sql[last])
		return a.got(a.named(text))
	}
}

// hinders runs all statements but the last in a transaction of a. It succeeds if b cannot run the
// last, on another connection, while the transaction is open.
func hinders(a *attempt, sql []string) bool {
	a.db = a.open(a.t, 2)
	last := len(sql) - 1
	ctx := a.in("tenant_a")
	tx, err := a.db(ctx).Begin(ctx)
	require.NoError(a.t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	for _, s := range sql[:last] {
		a.take(ctx, tx, s)
	}
	short, cancel := context.WithTimeout(a.in("tenant_b"), 300*time.Millisecond)
	defer cancel()
	var there bool
	err = a.db(short).QueryRow(short, sql[last]).Scan(&there)
	return err != nil || !there
}

// spies runs the first statement in an open transaction of b, and the others as a on another
// connection. It succeeds if a gets text.
func spies(text string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		a.db = a.open(a.t, 2)
		ctx := a.in("tenant_b")
		tx, err := a.db(ctx).Begin(ctx)
		require.NoError(a.t, err)
		defer func() { _ = tx.Rollback(ctx) }()
		_, err = tx.Exec(ctx, sql[0])
		require.NoError(a.t, err)
		a.alone("tenant_a", sql[1:]...)
		return a.got(a.named(text))
	}
}

// kills runs the statement as a while b is in a transaction. It succeeds if b's statement fails.
func kills(a *attempt, sql []string) bool {
	a.db = a.open(a.t, 2)
	ctx := a.in("tenant_b")
	tx, err := a.db(ctx).Begin(ctx)
	require.NoError(a.t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	end := make(chan error)
	go func() {
		_, err := tx.Exec(ctx, "select pg_sleep(0.5)")
		end <- err
	}()
	for err == nil { // until b sleeps
		err = a.pg.Pool.QueryRow(
			ctx, "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'",
		).
			Scan(nil)
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
			continue
		}
		break
	}
	a.alone("tenant_a", sql...)
	return <-end != nil
}

// hearingPool opens a pool whose connections send the notifications that they receive to w.heard.
func (w *world) hearingPool(t *testing.T, url string, conns int32) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.MaxConns = conns
	heard := w.heard
	cfg.ConnConfig.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { heard <- n.Payload }
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// hears reports whether a connection of the last pool has received payload by the time that
// statements of both tenants have been answered.
func (a *attempt) hears(payload string) bool {
	for _, schema := range []string{"tenant_a", "tenant_b", "tenant_a"} {
		a.alone(schema, "select pg_sleep(0.02)")
	}
	for {
		select {
		case got := <-a.heard:
			if got == payload {
				return true
			}
		default:
			return false
		}
	}
}
