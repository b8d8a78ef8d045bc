package schemactx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

var loginSecret = bytes.Repeat([]byte("s"), 32)

// loginDB lets the fixture's tenants log in and returns a DB at level Logins.
func loginDB(t *testing.T, f *fixture, cfg schemactx.Config) *schemactx.DB {
	t.Helper()
	password := func(schema string) string {
		p, err := schemactx.LoginPassword(loginSecret, f.roles.Tenant(schema))
		require.NoError(t, err)
		return p
	}
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		f.provisionLogin(t, schema, password(schema))
	}
	cfg.Level = schemactx.Logins
	cfg.Logins.Password = func(_ context.Context, schema string) (string, error) { return password(schema), nil }
	db := f.open(t, cfg, 1)
	t.Cleanup(db.Close)
	return db
}

func TestTenantsLogInAsThemselves(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := loginDB(
		t,
		f,
		schemactx.Config{Limits: func(string) schemactx.Limits { return schemactx.Limits{StatementTimeout: time.Minute} }},
	)
	for range 2 {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			expectNote(t, in(t, schema), db, schema)
			var user, timeout string
			require.NoError(t,
				db.QueryRow(in(t, schema), "select session_user, current_setting('statement_timeout')").Scan(&user, &timeout))
			assert.Equal(t, f.roles.Tenant(schema), user, "in %s: logged in as %s with timeout %s", schema, user, timeout)
			assert.Equal(t, "1min", timeout, "in %s: logged in as %s with timeout", schema, user)
		}
	}
	_, err := db.Exec(in(t, "tenant_a"), fmt.Sprintf("select set_config('role', '%s', false)", f.roles.Tenant("tenant_b")))
	expectState(t, err, "42501")
	_, err = db.Exec(in(t, "tenant_a"), "select * from tenant_b.notes")
	expectState(t, err, "42501")
	ctx := in(t, "tenant_a")
	require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error { return insertNote(ctx, tx) }))

	// A session whose search path has changed is closed, and the next one has the right path.
	_, err = db.Exec(ctx, "select set_config('search_path', 'nowhere', false)")
	if err == nil {
		_, _, err = note(ctx, db)
	}
	assert.ErrorIs(t, err, schemactx.ErrScopeChanged)
	expectNote(t, ctx, db, "tenant_a")

	_, err = db.Exec(in(t, "tenant_missing"), "select 1")
	assert.ErrorIs(t, err, schemactx.ErrNotProvisioned)
	var user string
	require.NoError(t, db.QueryRow(schemactx.NewPublicContext(t.Context()), "select current_user").Scan(&user))
	assert.Equal(t, f.roles.Public(), user, "public work runs as %s", user)
}

func TestTenantsLogInWhereTheDatabaseIsHardened(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	db := loginDB(t, f, schemactx.Config{})
	expectNote(t, in(t, "tenant_a"), db, "tenant_a")
	expectNote(t, in(t, "tenant_b"), db, "tenant_b")
}

func TestPoolsOfTenantsAreBounded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := loginDB(t, f, schemactx.Config{Logins: schemactx.LoginsConfig{MaxPools: 1, MaxConns: 2}})
	sessions := func() (n int) {
		require.NoError(
			t,
			f.pg.Pool.QueryRow(t.Context(), "select count(distinct usename) from pg_stat_activity where "+
				"starts_with(usename::text, $1)",
				f.roles.Prefix()+"__").
				Scan(&n),
		)
		return n
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			schema := []string{"tenant_a", "tenant_b"}[i%2]
			for range 5 {
				body, _, err := note(in(t, schema), db)
				assert.NoError(t, err, "in %s: read %q", schema, body)
				assert.Equal(t, schema, body, "in %s: read %q", schema, body)
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(time.Minute); sessions() != 1; time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "more than one tenant is still logged in")
	}
	require.NoError(t, db.InTx(in(t, "tenant_a"), func(pgx.Tx) error {
		ctx, cancel := context.WithTimeout(in(t, "tenant_b"), 50*time.Millisecond)
		defer cancel()
		_, err := db.Exec(ctx, "select 1")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		return nil
	}))
	expectNote(t, in(t, "tenant_b"), db, "tenant_b")
	db.Close()
	_, _, err := note(in(t, "tenant_b"), db)
	assert.ErrorIs(t, err, schemactx.ErrClosed)
}

func TestLoginsWithoutAPassword(t *testing.T) {
	t.Parallel()
	f := setup(t)
	pool := openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
	_, err := schemactx.New(pool, schemactx.Config{Roles: f.roles, Level: schemactx.Logins})
	assert.Error(t, err, "a DB at Logins without passwords")
	mine := errors.New("mine")
	db, err := schemactx.New(
		pool,
		schemactx.Config{Roles: f.roles, Level: schemactx.Logins, Logins: schemactx.LoginsConfig{
			Password: func(context.Context, string) (string, error) { return "", mine },
		}},
	)
	require.NoError(t, err)
	defer db.Close()
	_, _, err = note(in(t, "tenant_a"), db)
	assert.ErrorIs(t, err, mine)
}

// Refresh closes the tenant's pool; a unit of work that waits for one of its connections gets one
// of the new pool.
func TestRefreshWhileTenantsWait(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := loginDB(t, f, schemactx.Config{Logins: schemactx.LoginsConfig{MaxConns: 1}})
	ctx := in(t, "tenant_a")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				expectNote(t, ctx, db, "tenant_a")
				db.Refresh("tenant_a")
			}
		})
	}
	wg.Wait()
}
