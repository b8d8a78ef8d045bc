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

// The ways of harming and of looking that a statement alone cannot show.

// tellsErrorsApart: the two statements fail in different ways.
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

// executesAll: b runs the first statement; a runs the second with the numbers that the
// library may have given it. What it is allowed to see is its own.
func executesAll(a *attempt, sql []string) bool {
	a.alone("tenant_b", sql[0])
	a.alone("tenant_b", sql[0])
	a.loot.Reset()
	for i := 1; i < 10; i++ {
		a.alone("tenant_a", fmt.Sprintf(sql[1], i))
	}
	return a.got(a.secretB)
}

// locksOut: while a's transaction is open, b cannot write.
func locksOut(a *attempt, sql []string) bool {
	return hinders(a, []string{sql[0], "update secrets set body = body returning true"})
}

// forges: a listener of the program's own hears a.
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

// overhears: a runs the first statement and keeps its connection; b runs the second on
// another.
func overhears(a *attempt, sql []string) bool {
	a.db = a.open(a.t, 2)
	ctx := a.in("tenant_b")
	tx, err := a.db(ctx).Begin(ctx) // so that a gets the other connection
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

// marksLogin: a connection that b opens later shows a's mark.
func marksLogin(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql...)
	a.loot.Reset()
	a.db = a.open(a.t, 1)
	a.alone("tenant_b", "select current_setting('app.mark', true)")
	return a.got("a was here")
}

// breaksB: after a's first statement b cannot read its own, by the second if there is one.
func breaksB(a *attempt, sql []string) bool {
	if len(sql) == 1 {
		sql = append(sql, "select body from secrets")
	}
	for range 2 { // so that b's statements are prepared
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

// capturesB: a runs all statements but the last; what b then writes with the last, a reads.
func capturesB(a *attempt, sql []string) bool {
	last := len(sql) - 1
	for range 2 { // so that the scope statement is prepared
		a.alone("tenant_b", "select body from secrets")
	}
	a.alone("tenant_a", sql[:last]...)
	a.alone("tenant_b", sql[last])
	a.loot.Reset()
	a.alone("tenant_a", "select body from secrets")
	return a.got("private to b")
}

// holdsPool: b has to wait for a on a pool of one connection.
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

// holdsLimited is holdsPool with two connections, both of which a tries to hold.
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

// outlives: the statements are still running, in one transaction, when 4 s are over, in which a
// busy machine ends what has a timeout of 50 ms.
func outlives(a *attempt, sql []string) bool {
	ctx, cancel := context.WithTimeout(a.ctx, 4*time.Second)
	defer cancel()
	a.ctx = ctx
	a.inTx("tenant_a", sql...)
	return ctx.Err() != nil
}

// makesLargeObject: an object is there that is in no schema.
func makesLargeObject(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql...)
	var there bool
	require.NoError(a.t, a.pg.Pool.QueryRow(a.ctx, "select exists (select from pg_largeobject_metadata)").Scan(&there))
	return there
}

// joinsRoles: a's role is a member of b's. It is undone.
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

// defersForB: b's constraint, which is immediate, lets a violation pass until the commit.
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
