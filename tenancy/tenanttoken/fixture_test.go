package tenanttoken_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// fixture is a database with roles and registry, and without tenants. Each tenant that is created
// has a table of notes.
type fixture struct {
	pg       *pgtest.DB
	tenants  *tenancy.Manager
	db       *schemactx.DB // the runtime login
	registry *tenancy.Registry
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	roles, err := schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	require.NoError(t, err)
	owner := f.pool(t, roles.Owner(), "o")
	runner, err := migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "test", FS: fstest.MapFS{
			"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
		}}},
	})
	require.NoError(t, err)
	f.tenants, err = tenancy.New(owner, tenancy.Config{Migrator: runner, Roles: roles})
	require.NoError(t, err)
	require.NoError(t, f.tenants.Init(t.Context()))
	f.db, err = schemactx.New(f.pool(t, roles.Runtime(), "r"), schemactx.Config{Roles: roles})
	require.NoError(t, err)
	f.registry = tenancy.NewRegistry(f.db)
	return f
}

func (f *fixture) pool(t *testing.T, user, password string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), f.pg.URLAs(user, password))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func (f *fixture) create(t *testing.T, slug string) tenancy.Tenant {
	t.Helper()
	tenant, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	require.NoError(t, err)
	return tenant
}

// active returns an active tenant that is in no database.
func active(id int64, slug string) *tenancy.Tenant {
	return &tenancy.Tenant{ID: id, Slug: slug, Schema: "tenant_" + slug, Status: tenancy.Active}
}
