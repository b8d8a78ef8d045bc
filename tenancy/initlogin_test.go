package tenancy_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Whoever is logged in, and whether Setup has run: with another login than the owner's nothing is made.
func TestInitMakesNothingAsAnotherRole(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	roles := schemactx.DefaultRoleNames(pg.Name)
	pg.RolePrefix = roles.Prefix()
	pool := func(login string) *pgxpool.Pool {
		u, err := url.Parse(pg.URL)
		require.NoError(t, err)
		if login != "" {
			u.User = url.UserPassword(login, "secret")
		}
		p, err := pgxpool.New(context.Background(), u.String())
		require.NoError(t, err)
		t.Cleanup(p.Close)
		return p
	}
	made := func() (n int) {
		require.NoError(t, pg.Pool.QueryRow(t.Context(), "select count(*) from pg_class where relnamespace = 'public'::regnamespace").Scan(&n))
		return n
	}
	manager := func(p *pgxpool.Pool, cfg tenancy.Config) (*tenancy.Manager, error) {
		runner, err := migrate.New(p, migrate.Config{Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}})
		require.NoError(t, err)
		cfg.Migrator = runner
		return tenancy.New(p, cfg)
	}
	refused := func(login string, cfg tenancy.Config, kind schemactx.LoginKind, want string, missing bool) {
		t.Helper()
		m, err := manager(pool(login), cfg)
		if err == nil {
			err = m.Init(t.Context())
		}
		var wrong *schemactx.LoginError
		require.ErrorAs(t, err, &wrong)
		assert.Equal(t, kind, wrong.Kind)
		assert.Equal(t, want, wrong.Want)
		assert.Equal(t, missing, wrong.Missing)
		assert.Contains(t, err.Error(), "schemactx.Setup")
		assert.Zero(t, made(), "the wrong login has made something")
	}

	refused("", tenancy.Config{}, schemactx.LoginSuperuser, roles.Owner(), true) // Setup forgotten
	_, err := schemactx.Setup(t.Context(), pg.Pool, schemactx.SetupConfig{OwnerPassword: "secret", RuntimePassword: "secret"})
	require.NoError(t, err)
	refused("", tenancy.Config{}, schemactx.LoginSuperuser, roles.Owner(), false)
	refused(roles.Runtime(), tenancy.Config{}, schemactx.LoginRuntime, roles.Owner(), false)
	other, err := schemactx.NewRoleNames(roles.Prefix()[:10] + "_other")
	require.NoError(t, err)
	refused(roles.Owner(), tenancy.Config{Roles: other}, schemactx.LoginOther, other.Owner(), true) // roles of another name

	m, err := manager(pool(roles.Owner()), tenancy.Config{})
	require.NoError(t, err)
	require.NoError(t, m.Init(t.Context()))
	assert.NotZero(t, made())
}
