package attacktest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// Attacks whose effect a statement alone cannot show. Each comment says when the attack succeeds.

// tellsErrorsApart succeeds if the two statements fail with different errors.
func tellsErrorsApart(a *attempt, sql []string) bool {
	ctx := a.in("tenant_a")
	var states [2]string
	for i, s := range sql {
		_, err := a.db(ctx).Exec(ctx, s)
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) {
			states[i] = pgErr.Code
		}
	}
	return states[0] != states[1]
}

// executesAll runs the first statement as b, then the second as a, with each number that the
// library may have given to b's statement. It succeeds if a sees b's secret; a's own secret is
// allowed.
func executesAll(a *attempt, sql []string) bool {
	a.alone("tenant_b", sql[0])
	a.alone("tenant_b", sql[0])
	a.loot.Reset()
	for i := 1; i < 10; i++ {
		a.alone("tenant_a", fmt.Sprintf(sql[1], i))
	}
	return a.got(a.secretB)
}

// locksOut succeeds if b cannot write while a's transaction is open.
func locksOut(a *attempt, sql []string) bool {
	return hinders(a, []string{sql[0], "update secrets set body = body returning true"})
}

// forges succeeds if a listener of the program receives a's notification.
func forges(a *attempt, sql []string) bool {
	conn, err := a.pg.Pool.Acquire(a.ctx)
	require.NoError(a.t, err)
	defer conn.Release()
	_, err = conn.Exec(a.ctx, "listen gossip")
	require.NoError(a.t, err)
	a.alone("tenant_a", sql...)
	short, cancel := context.WithTimeout(a.ctx, 300*time.Millisecond)
	defer cancel()
	n, err := conn.Conn().WaitForNotification(short)
	if err != nil {
		a.met(err)
		return false
	}
	_, err = conn.Exec(a.ctx, "unlisten *")
	require.NoError(a.t, err)
	return n.Payload == "a was here"
}

// overhears runs the first statement as a, whose connection stays open, and the second as b on
// another connection. It succeeds if a receives b's secret as a notification.
func overhears(a *attempt, sql []string) bool {
	a.db = a.open(a.t, 2)
	ctx := a.in("tenant_b")
	tx, err := a.db(ctx).Begin(ctx) // a then gets the other connection
	require.NoError(a.t, err)
	a.alone("tenant_a", sql[0])
	a.take(ctx, tx, sql[1])
	require.NoError(a.t, tx.Commit(ctx))
	tx, err = a.db(ctx).Begin(ctx)
	require.NoError(a.t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	for range 5 {
		a.alone("tenant_a", "select pg_sleep(0.02)")
	}
	select {
	case got := <-a.heard:
		return got == a.secretB
	default:
		return false
	}
}

// marksLogin succeeds if a connection that b opens later has a setting of a's.
func marksLogin(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql...)
	a.loot.Reset()
	a.db = a.open(a.t, 1)
	a.alone("tenant_b", "select current_setting('app.mark', true)")
	return a.got("a was here")
}

// breaksB runs the first statement as a. It succeeds if b then cannot read its own secret, by the
// second statement if there is one.
func breaksB(a *attempt, sql []string) bool {
	if len(sql) == 1 {
		sql = append(sql, "select body from secrets")
	}
	for range 2 { // prepares b's statements
		a.alone("tenant_b", "select body from secrets")
	}
	a.alone("tenant_a", sql[0])
	for range 3 {
		a.loot.Reset()
		a.alone("tenant_b", sql[len(sql)-1])
		if !a.got(a.secretB) {
			return true
		}
	}
	return false
}

// capturesB runs all statements but the last as a, and the last, a write, as b. It succeeds if a
// can read what b wrote.
func capturesB(a *attempt, sql []string) bool {
	last := len(sql) - 1
	for range 2 { // prepares the scope statement
		a.alone("tenant_b", "select body from secrets")
	}
	a.alone("tenant_a", sql[:last]...)
	a.alone("tenant_b", sql[last])
	a.loot.Reset()
	a.alone("tenant_a", "select body from secrets")
	return a.got("private to b")
}

// holdsPool succeeds if b has to wait for a on a pool with one connection.
func holdsPool(a *attempt, _ []string) bool {
	ctx := a.in("tenant_a")
	tx, err := a.db(ctx).Begin(ctx)
	require.NoError(a.t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	a.take(ctx, tx, "select 1")
	short, cancel := context.WithTimeout(a.in("tenant_b"), 300*time.Millisecond)
	defer cancel()
	_, err = a.db(short).Exec(short, "select 1")
	return err != nil
}

// holdsLimited is holdsPool with two connections. a tries to hold both.
func holdsLimited(a *attempt, sql []string) bool {
	a.db = a.open(a.t, 2)
	ctx := a.in("tenant_a")
	tx, err := a.db(ctx).Begin(ctx)
	require.NoError(a.t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	a.take(ctx, tx, "select 1")
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	second, err := a.db(short).Begin(short)
	a.met(err)
	if err == nil {
		defer func() { _ = second.Rollback(ctx) }()
	}
	short, cancel = context.WithTimeout(a.in("tenant_b"), time.Minute)
	defer cancel()
	_, err = a.db(short).Exec(short, "select 1")
	return err != nil
}

// outlives succeeds if the statements still run, in one transaction, after 4 s. In that time even a
// busy machine ends a statement with a timeout of 50 ms.
func outlives(a *attempt, sql []string) bool {
	ctx, cancel := context.WithTimeout(a.ctx, 4*time.Second)
	defer cancel()
	a.ctx = ctx
	a.inTx("tenant_a", sql...)
	return ctx.Err() != nil
}

// makesLargeObject succeeds if a has created a large object, which is in no schema.
func makesLargeObject(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql...)
	var there bool
	require.NoError(a.t, a.pg.Pool.QueryRow(a.ctx, "select exists (select from pg_largeobject_metadata)").Scan(&there))
	return there
}

// joinsRoles succeeds if a's role is then a member of b's. It revokes the membership again.
func joinsRoles(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql...)
	var joined bool
	require.NoError(
		a.t,
		a.pg.Pool.QueryRow(a.ctx, a.named("select pg_has_role('ROLE_A', 'ROLE_B', 'member')")).Scan(&joined),
	)
	if joined {
		a.admin(a.t, "revoke ROLE_B from ROLE_A granted by OWNER")
	}
	return joined
}

// defersForB succeeds if a violation of b's immediate constraint is not reported before the commit.
func defersForB(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql[0])
	ctx := a.in("tenant_b")
	passed := false
	_ = a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql[1])
		passed = err == nil
		return err
	})
	return passed
}
