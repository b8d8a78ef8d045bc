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

// The ways in which an attack is carried out. Each judges by content.

// reads: a runs each statement as a unit of work of its own, and wants b's secret.
func reads(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql...)
	return a.got(a.secretB)
}

// readsInTx: a runs the statements in one transaction, and wants b's secret.
func readsInTx(a *attempt, sql []string) bool {
	a.inTx("tenant_a", sql...)
	return a.got(a.secretB)
}

// sees returns the way in which a wants to see a text.
func sees(text string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		a.alone("tenant_a", sql...)
		return a.got(a.named(text))
	}
}

// changes: a runs each statement alone, and wants anything of b's to be different.
func changes(a *attempt, sql []string) bool {
	before := a.stateOfB(a.t)
	a.alone("tenant_a", sql...)
	return a.stateOfB(a.t) != before
}

// inherits: b runs all statements but the last, a the last, and wants b's secret.
func inherits(a *attempt, sql []string) bool {
	last := len(sql) - 1
	a.alone("tenant_b", sql[:last]...)
	a.loot.Reset()
	a.alone("tenant_a", sql[last])
	return a.got(a.secretB)
}

// leaves returns the way in which a runs all statements but the last and b the last, and b
// then sees a text.
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

// hinders: a runs all statements but the last in a transaction and, with it open, b cannot
// run the last, on connections of their own.
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

// spies: b has a transaction open in which the first statement has run; a, on a connection
// of its own, wants to see a text with the others.
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

// kills: b is in a transaction; a runs the statement, and b cannot go on.
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
	for err == nil { // until b is seen to sleep
		err = a.pg.Pool.QueryRow(ctx, "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'").
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

// hearingPool opens a pool whose connections report the notifications they receive.
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

// hears reports whether a connection of the last pool received a payload. It looks at what
// has arrived by the time that a statement of each tenant has been answered.
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
