package tenancy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// splitMigrator migrates the registry in one database and the tenants in another.
type splitMigrator struct{ registry, schemas *migrate.Runner }

func (m splitMigrator) Migrate(ctx context.Context, schema string) error {
	if schema == schemactx.Public {
		return m.registry.Migrate(ctx, schema)
	}
	return m.schemas.Migrate(ctx, schema)
}

func (m splitMigrator) TenantVersion() string { return m.schemas.TenantVersion() }

// expectTenantSchemas counts the schemas and the roles of tenants in a database.
func (f *fixture) expectTenantSchemas(t *testing.T, want int) {
	t.Helper()
	var schemas, roles int
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select
		(select count(*) from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema')),
		(select count(*) from pg_roles where starts_with(rolname, $1 || '__'))`, f.roles.Prefix()).Scan(&schemas, &roles))
	assert.Equal(t, want, schemas, "schemas of tenants in database %s", f.pg.Name)
	assert.Equal(t, want, roles, "roles of tenants in database %s", f.pg.Name)
}

func TestRegistryAndTenantsInSeparateDatabases(t *testing.T) {
	t.Parallel()
	central, tenants := setupRoles(t, pgtest.New(t)), setupRoles(t, pgtest.New(t))
	registryRunner, err := migrate.New(central.owner, migrate.Config{Shared: migrations.Shared})
	require.NoError(t, err)
	tenantRunner, err := migrate.New(tenants.owner, migrate.Config{Tenant: migrations.Tenant})
	require.NoError(t, err)
	injected := errors.New("seed failed")
	var fail error
	m, err := tenancy.New(central.owner, tenancy.Config{
		Migrator: splitMigrator{registryRunner, tenantRunner}, Schemas: tenants.owner,
		Roles: tenants.roles, RegistryRoles: central.roles,
		Seed:  func(context.Context, *tenancy.Tenant) error { return fail },
		Drop:  tenancy.DropConfig{Enabled: true},
		Stock: tenancy.StockConfig{Size: 1, StockOnly: true},
	})
	require.NoError(t, err)
	ctx := t.Context()
	require.NoError(t, m.Init(ctx))

	fail = injected
	_, err = m.Create(ctx, tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	assert.ErrorIs(t, err, injected)
	fail = nil
	_, err = m.Resume(ctx, "a")
	require.NoError(t, err)
	refill(t, m)
	_, err = m.AssignStocked(ctx, createParams("b"))
	require.NoError(t, err)
	central.expectTenantSchemas(t, 0)
	tenants.expectTenantSchemas(t, 2)

	// The runtime login of the registry's database resolves the tenant. The runtime login of the
	// tenants' database reads and writes its schema.
	a, err := central.registry.ByHost(ctx, "a.example.com")
	require.NoError(t, err)
	_, err = tenants.db.Exec(tenancy.NewContext(ctx, &a), "insert into notes values ('of a')")
	require.NoError(t, err)
	a, err = m.Rename(ctx, "a", tenancy.RenameParams{Schema: "renamed"})
	require.NoError(t, err)
	var body string
	require.NoError(t, tenants.db.QueryRow(tenancy.NewContext(ctx, &a), "select body from notes").Scan(&body))
	assert.Equal(t, "renamed", a.Schema)
	assert.Equal(t, "of a", body, "note of the renamed tenant")
	_, err = m.Rename(ctx, "b", tenancy.RenameParams{Schema: "renamed"})
	assert.ErrorIs(t, err, admin.ErrTaken)

	r, err := m.RequestDrop(ctx, "a", actor)
	require.NoError(t, err)
	assert.Equal(t, 2, r.Contents.Tables)
	_, err = m.Drop(ctx, tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	require.NoError(t, err)
	tenants.expectTenantSchemas(t, 1)
	_, err = m.BySlug(ctx, "a")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}
