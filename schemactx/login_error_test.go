package schemactx_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestNothingRunsAsTheOwnerOrASuperuser(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var wrong *schemactx.LoginError
	_, err := schemactx.New(openPool(t, f.pg.URLAs(f.roles.Owner(), ownerPassword), 1), schemactx.Config{Roles: f.roles})
	require.ErrorAs(t, err, &wrong)
	assert.Equal(
		t,
		&schemactx.LoginError{Login: f.roles.Owner(), Kind: schemactx.LoginOwner, Want: f.roles.Runtime()},
		wrong,
	)

	db, err := schemactx.New(f.pg.Pool, schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	ctx := schemactx.NewContext(t.Context(), "tenant_a")
	for range 2 { // the second one on a connection that was refused before
		_, err = db.Exec(ctx, "insert into notes values ('as a superuser')")
		require.ErrorAs(t, err, &wrong)
		assert.Equal(t, schemactx.LoginSuperuser, wrong.Kind)
		assert.Equal(t, f.roles.Runtime(), wrong.Want)
	}
	_, err = db.Begin(ctx)
	require.ErrorAs(t, err, &wrong)
	var n int
	require.NoError(
		t,
		f.pg.Pool.QueryRow(t.Context(), "select count(*) from tenant_a.notes where body = 'as a superuser'").Scan(&n),
	)
	assert.Zero(t, n)

	// Level PathOnly accepts any login.
	db, err = schemactx.New(f.pg.Pool, schemactx.Config{Roles: f.roles, Level: schemactx.PathOnly})
	require.NoError(t, err)
	_, err = db.Exec(ctx, "select 1")
	require.NoError(t, err)
}

// A superuser is refused even if its pool has set another role or session user, because a tenant's
// statement could undo both.
func TestASuperuserBehindAnotherRoleIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	runtime := pgx.Identifier{f.roles.Runtime()}.Sanitize()
	for _, hide := range []string{"set role " + runtime, "set session authorization " + runtime} {
		cfg, err := pgxpool.ParseConfig(f.pg.URL)
		require.NoError(t, err)
		cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, hide)
			return err
		}
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		db, err := schemactx.New(pool, schemactx.Config{Roles: f.roles})
		require.NoError(t, err)
		for range 2 {
			_, err = db.Exec(schemactx.NewContext(t.Context(), "tenant_a"), "select 1")
			var wrong *schemactx.LoginError
			require.ErrorAs(t, err, &wrong, hide)
			assert.Equal(t, schemactx.LoginSuperuser, wrong.Kind, hide)
			assert.Equal(t, f.roles.Runtime(), wrong.Want, hide)
		}
	}
}

// A login of another name with the runtime login's privileges is accepted.
func TestLoginWithAnotherNameIsAccepted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, "create role "+f.roles.Prefix()+"_web login noinherit password 'web' in role "+f.roles.Runtime())
	_, err := f.pg.Pool.Exec(
		t.Context(),
		"grant "+pgx.Identifier{f.roles.Tenant("tenant_a")}.Sanitize()+" to "+f.roles.Prefix()+"_web",
	)
	require.NoError(t, err)
	db, err := schemactx.New(openPool(t, f.pg.URLAs(f.roles.Prefix()+"_web", "web"), 1), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	_, err = db.Exec(schemactx.NewContext(t.Context(), "tenant_a"), "select 1")
	require.NoError(t, err)
}
