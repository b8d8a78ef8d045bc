package platformuser_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// fixture is a database with roles and registry, and without tenants.
type fixture struct {
	owner *pgxpool.Pool
	db    *schemactx.DB // the runtime login
	pg    *pgtest.DB
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	roles, err := schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	require.NoError(t, err)
	f.owner = f.pool(t, roles.Owner(), "o")
	runner, err := migrate.New(
		f.owner,
		migrate.Config{Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}},
	)
	require.NoError(t, err)
	tenants, err := tenancy.New(f.owner, tenancy.Config{Migrator: runner, Roles: roles})
	require.NoError(t, err)
	require.NoError(t, tenants.Init(t.Context()))
	f.db, err = schemactx.New(f.pool(t, roles.Runtime(), "r"), schemactx.Config{Roles: roles})
	require.NoError(t, err)
	return f
}

func (f *fixture) pool(t *testing.T, user, password string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), f.pg.URLAs(user, password))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func expectField(t *testing.T, err error, field string) {
	t.Helper()
	var fieldErr *tenancy.FieldError
	if assert.ErrorAs(t, err, &fieldErr) {
		assert.Equal(t, field, fieldErr.Field)
	}
}
