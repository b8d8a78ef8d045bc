package tenancy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

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

func newSide(t *testing.T) *side {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	check(t, err)
	_, err = admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r"})
	check(t, err)
	s := &side{pg: f.pg, roles: f.roles, owner: f.pool(t, f.roles.Owner(), "o")}
	s.db, err = schemactx.New(f.pool(t, f.roles.Runtime(), "r"), schemactx.Config{Roles: f.roles})
	check(t, err)
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
	check(t, s.pg.Pool.QueryRow(t.Context(), `select (select count(*) from pg_namespace where nspname !~ '^pg_'
		and nspname not in ('public', 'information_schema')), (select count(*) from pg_roles where starts_with(rolname, $1 || '__'))`,
		s.roles.Prefix()).Scan(&n, &roles))
	if n != want || roles != want {
		t.Errorf("database %s has %d schemas and %d roles of tenants, want %d", s.pg.Name, n, roles, want)
	}
}

func TestTheRegistryMayBeInAnotherDatabaseThanTheTenants(t *testing.T) {
	t.Parallel()
	central, tenants := newSide(t), newSide(t)
	shared, err := migrate.New(central.owner, migrate.Config{Shared: migrations.Shared})
	check(t, err)
	own, err := migrate.New(tenants.owner, migrate.Config{Tenant: migrations.Tenant})
	check(t, err)
	trouble := errors.New("not this time")
	var fail error
	m, err := tenancy.New(central.owner, tenancy.Config{
		Migrator: apart{shared, own}, Schemas: tenants.owner, Roles: tenants.roles, RegistryRoles: central.roles,
		Seed:  func(context.Context, *tenancy.Tenant) error { return fail },
		Drop:  tenancy.DropConfig{Enabled: true},
		Stock: tenancy.StockConfig{Size: 1, StockOnly: true},
	})
	check(t, err)
	ctx := t.Context()
	check(t, m.Init(ctx))

	fail = trouble
	_, err = m.Create(ctx, tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	expectIs(t, err, trouble)
	fail = nil
	_, err = m.Resume(ctx, "a")
	check(t, err)
	refill(t, m)
	_, err = m.AssignStocked(ctx, claimParams("b"))
	check(t, err)
	central.expectSchemas(t, 0)
	tenants.expectSchemas(t, 2)

	// The runtime login of the registry's database finds the tenant, and that of the tenants' works there.
	a, err := tenancy.NewRegistry(central.db).ByHost(ctx, "a.example.com")
	check(t, err)
	_, err = tenants.db.Exec(tenancy.NewContext(ctx, &a), "insert into notes values ('of a')")
	check(t, err)
	a, err = m.Rename(ctx, "a", tenancy.RenameParams{Schema: "renamed"})
	check(t, err)
	var body string
	check(t, tenants.db.QueryRow(tenancy.NewContext(ctx, &a), "select body from notes").Scan(&body))
	if a.Schema != "renamed" || body != "of a" {
		t.Errorf("renamed %+v holds %q", a, body)
	}
	_, err = m.Rename(ctx, "b", tenancy.RenameParams{Schema: "renamed"})
	expectIs(t, err, admin.ErrTaken)

	r, err := m.RequestDrop(ctx, "a", actor)
	check(t, err)
	if r.Contents.Tables != 2 {
		t.Errorf("contents %+v", r.Contents)
	}
	_, err = m.Drop(ctx, tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	check(t, err)
	tenants.expectSchemas(t, 1)
	_, err = m.BySlug(ctx, "a")
	expectIs(t, err, tenancy.ErrNotFound)
}
