package schemactx_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestGreedyTenantDoesNotStarveAnother(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{Limits: func(string) schemactx.Limits { return schemactx.Limits{MaxConns: 2} }}, 3)
	entered, release := make(chan struct{}, 10), make(chan struct{})
	var wg sync.WaitGroup
	for range 10 { // two run, eight wait
		wg.Go(func() {
			err := db.InTx(in(t, "tenant_a"), func(tx pgx.Tx) error {
				entered <- struct{}{}
				<-release
				_, _, err := note(in(t, "tenant_a"), tx)
				return err
			})
			assert.NoError(t, err)
		})
	}
	<-entered
	<-entered
	for range 5 {
		expectNote(t, in(t, "tenant_b"), db, "tenant_b")
	}
	ctx, cancel := context.WithTimeout(in(t, "tenant_a"), 50*time.Millisecond)
	defer cancel()
	_, err := db.Exec(ctx, "select 1")
	var limit *schemactx.LimitError
	if assert.ErrorAs(t, err, &limit) && assert.Equal(t, "tenant_a", limit.Schema) {
		assert.Equal(t, 2, limit.MaxConns)
	}
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	close(release)
	wg.Wait()
	expectNote(t, in(t, "tenant_a"), db, "tenant_a")
}

func TestTimeoutsOfATenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{Limits: func(schema string) schemactx.Limits {
		if schema == "tenant_a" {
			return schemactx.Limits{StatementTimeout: 50 * time.Millisecond, IdleInTransactionTimeout: 100 * time.Millisecond}
		}
		return schemactx.Limits{}
	}}, 1)
	for range 2 {
		_, err := db.Exec(in(t, "tenant_a"), "select pg_sleep(5)")
		expectState(t, err, "57014")
		_, err = db.Exec(in(t, "tenant_a"), "select pg_sleep(5)", pgx.QueryExecModeExec)
		expectState(t, err, "57014")
		_, err = db.Exec(in(t, "tenant_b"), "select pg_sleep(0.1)")
		require.NoError(t, err)
	}
	err := db.InTx(in(t, "tenant_a"), func(tx pgx.Tx) error {
		_, err := tx.Exec(in(t, "tenant_a"), "select pg_sleep(5)")
		expectState(t, err, "57014")
		return nil
	})
	assert.ErrorIs(t, err, pgx.ErrTxCommitRollback)
	err = db.InTx(in(t, "tenant_a"), func(tx pgx.Tx) error {
		expectNote(t, in(t, "tenant_a"), tx, "tenant_a")
		time.Sleep(300 * time.Millisecond) // the wait is tested
		_, _, err := note(in(t, "tenant_a"), tx)
		return err
	})
	assert.Error(t, err, "the transaction outlived its idle timeout")
	expectNote(t, in(t, "tenant_b"), db, "tenant_b")
}

// A shorter statement_timeout of the tenant applies although the login has its own.
func TestTimeoutOfATenantBelowThatOfTheLogin(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.pg.Pool.Exec(t.Context(), "alter role "+f.roles.Runtime()+" set statement_timeout = '20s'")
	require.NoError(t, err)
	db := f.open(t, schemactx.Config{Limits: func(string) schemactx.Limits {
		return schemactx.Limits{StatementTimeout: 50 * time.Millisecond}
	}}, 1)
	_, err = db.Exec(in(t, "tenant_a"), "select pg_sleep(5)")
	expectState(t, err, "57014")
}

func TestRefreshAsksForLimitsAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	timeout := time.Duration(0)
	db := f.open(t, schemactx.Config{Limits: func(string) schemactx.Limits {
		return schemactx.Limits{StatementTimeout: timeout}
	}}, 1)
	shown := func() (s string) {
		require.NoError(t, db.QueryRow(in(t, "tenant_a"), "select current_setting('statement_timeout')").Scan(&s))
		return s
	}
	assert.Equal(t, "0", shown(), "timeout")
	timeout = time.Minute
	got := shown()
	assert.Equal(t, "0", got, "timeout %s before Refresh", got)
	db.Refresh("tenant_a")
	got = shown()
	assert.Equal(t, "1min", got, "timeout %s after Refresh", got)
}

// If the context has ended already, the error is that of the context and not a LimitError.
func TestEndOfTheContextIsNoLimitError(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{Limits: func(string) schemactx.Limits { return schemactx.Limits{MaxConns: 5} }}, 1)
	ctx, cancel := context.WithCancel(in(t, "tenant_a"))
	cancel()
	for range 40 {
		_, err := db.Exec(ctx, "select 1")
		assert.ErrorIs(t, err, context.Canceled)
		var limit *schemactx.LimitError
		require.NotErrorAs(t, err, &limit)
	}
}
