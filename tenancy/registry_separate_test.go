package tenancy_test

import (
	"context"
	"errors"
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

// side is one of the two databases of a program that keeps its registry apart from its tenants.
type side struct {
	pg    *pgtest.DB
	roles schemactx.RoleNames
	owner *pgxpool.Pool
	db    *schemactx.DB
}

func newTenantDatabase(t *testing.T) *side {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(
		t.Context(),
		f.pg.Pool,
		admin.SetupConfig{Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r"},
	)
	require.NoError(t, err)
	s := &side{pg: f.pg, roles: f.roles, owner: f.pool(t, f.roles.Owner(), "o")}
	s.db, err = schemactx.New(f.pool(t, f.roles.Runtime(), "r"), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	return s
}

// apart migrates each schema where it is.
type apart struct{ registry, schemas *migrate.Runner }

func (a apart) Migrate(ctx context.Context, schema string) error {
	if schema == schemactx.Public {
		return a.registry.Migrate(ctx, schema)
	}
	return a.schemas.Migrate(ctx, schema)
}

func (a apart) TenantVersion() string { return a.schemas.TenantVersion() }

// expectSchemas compares the tenants' schemas of a database.
func (s *side) expectSchemas(t *testing.T, want int) {
	t.Helper()
	var n, roles int
	require.NoError(t,
		s.pg.Pool.QueryRow(t.Context(), `select (select count(*) from pg_namespace where nspname !~ '^pg_'
		and nspname not in ('public', 'information_schema')), (select count(*) from pg_roles where starts_with(rolname, $1 || '__'))`,
			s.roles.Prefix()).Scan(&n, &roles))
	assert.Equal(t, want, n, "schemas of tenants in database %s", s.pg.Name)
	assert.Equal(t, want, roles, "roles of tenants in database %s", s.pg.Name)
}

func TestRegistryAndTenantsInSeparateDatabases(t *testing.T) {
	t.Parallel()
	central, tenants := newTenantDatabase(t), newTenantDatabase(t)
	shared, err := migrate.New(central.owner, migrate.Config{Shared: migrations.Shared})
	require.NoError(t, err)
	own, err := migrate.New(tenants.owner, migrate.Config{Tenant: migrations.Tenant})
	require.NoError(t, err)
	injected := errors.New("not this time")
	var fail error
	m, err := tenancy.New(central.owner, tenancy.Config{
		Migrator: apart{shared, own}, Schemas: tenants.owner, Roles: tenants.roles, RegistryRoles: central.roles,
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
	central.expectSchemas(t, 0)
	tenants.expectSchemas(t, 2)

	// The runtime login of the registry's database finds the tenant, and that of the tenants' works
	// there.
	a, err := tenancy.NewRegistry(central.db).ByHost(ctx, "a.example.com")
	require.NoError(t, err)
	_, err = tenants.db.Exec(tenancy.NewContext(ctx, &a), "insert into notes values ('of a')")
	require.NoError(t, err)
	a, err = m.Rename(ctx, "a", tenancy.RenameParams{Schema: "renamed"})
	require.NoError(t, err)
	var body string
	require.NoError(t, tenants.db.QueryRow(tenancy.NewContext(ctx, &a), "select body from notes").Scan(&body))
	assert.Equal(t, "renamed", a.Schema)
	assert.Equal(t, "of a", body, "note of the renamed tenant %+v", a)
	_, err = m.Rename(ctx, "b", tenancy.RenameParams{Schema: "renamed"})
	assert.ErrorIs(t, err, admin.ErrTaken)

	r, err := m.RequestDrop(ctx, "a", actor)
	require.NoError(t, err)
	assert.Equal(t, 2, r.Contents.Tables, "contents %+v", r.Contents)
	_, err = m.Drop(ctx, tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	require.NoError(t, err)
	tenants.expectSchemas(t, 1)
	_, err = m.BySlug(ctx, "a")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}
