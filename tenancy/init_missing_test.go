package tenancy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// Before Init, every operation that needs the registry returns ErrNotInitialized and creates
// nothing.
func TestOperationsBeforeInitReturnErrNotInitialized(t *testing.T) {
	t.Parallel()
	f := setupRoles(t, pgtest.New(t))
	m, err := tenancy.New(f.owner, tenancy.Config{
		Migrator: notesRunner(t, f.owner), Roles: f.roles,
		Drop: tenancy.DropConfig{Enabled: true}, Stock: tenancy.StockConfig{Size: 1},
	})
	require.NoError(t, err)
	before := namespaces(t, f)
	expect := func(when string) {
		for operation, err := range operationsBeforeInit(t, m, f.registry, platformuser.New(f.owner)) {
			assert.ErrorIs(t, err, tenancy.ErrNotInitialized, "%s: %s", when, operation)
		}
		assert.Equal(t, before, namespaces(t, f), when)
	}
	expect("before Init")
	require.NoError(t, m.Init(t.Context()))
	_, err = m.List(t.Context(), tenancy.Filter{})
	require.NoError(t, err)

	// The registry of an earlier release lacks columns.
	_, err = f.pg.Pool.Exec(t.Context(), "alter table public.tenants drop column until cascade")
	require.NoError(t, err)
	_, err = m.BySlug(t.Context(), "north")
	require.ErrorIs(t, err, tenancy.ErrNotInitialized)
}

func namespaces(t *testing.T, f *fixture) (n int) {
	t.Helper()
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_namespace").Scan(&n))
	return n
}

// operationsBeforeInit returns the error of each operation that uses the registry first.
func operationsBeforeInit(
	t *testing.T,
	m *tenancy.Manager,
	r *tenancy.Registry,
	u *platformuser.Store,
) map[string]error {
	t.Helper()
	ctx, errs := t.Context(), schemaOperations(t, m)
	_, errs["list"] = m.List(ctx, tenancy.Filter{})
	_, errs["list as the runtime login"] = r.List(ctx, tenancy.Filter{})
	_, errs["by slug"] = r.BySlug(ctx, "north")
	_, errs["by host"] = r.ByHost(ctx, "north.example.com")
	_, errs["by id"] = r.ByID(ctx, 1)
	_, errs["domains"] = r.Domains(ctx, 1)
	_, errs["identity"] = m.Identity(ctx)
	_, errs["renew identity"] = m.RenewIdentity(ctx)
	for _, err := range r.Routes(ctx, tenancy.RouteFilter{}) {
		errs["routes"] = err
	}
	for _, err := range m.Schemas(ctx) {
		errs["schemas"] = err
	}
	for _, err := range r.All(ctx, tenancy.Filter{}) {
		errs["all"] = err
	}
	_, errs["resume"] = m.Resume(ctx, "north")
	_, errs["suspend"] = m.Suspend(ctx, "north", "")
	_, errs["assign stocked"] = m.AssignStocked(ctx, createParams("north"))
	_, errs["refill"] = m.Refill(ctx)
	_, errs["request a drop"] = m.RequestDrop(ctx, "north", "ada")
	_, errs["drop request"] = m.DropRequest(ctx, 1)
	_, errs["approve a drop"] = m.ApproveDrop(ctx, 1, "bob")
	_, errs["drop"] = m.Drop(ctx, tenancy.DropParams{Slug: "north", Actor: "ada", Token: "x"})
	_, errs["rename"] = m.Rename(ctx, "north", tenancy.RenameParams{Slug: "south"})
	name := "North"
	_, errs["update"] = m.Update(ctx, tenancy.Tenant{ID: 1}, tenancy.Changes{Name: &name})
	_, errs["auxiliary schemas"] = m.AuxiliarySchemas(ctx)
	_, errs["sweep staged schemas"] = m.SweepStagedSchemas(ctx)
	_, errs["add a domain"] = m.AddDomain(ctx, "north", "north.example.com")
	_, errs["claim a domain"] = m.ClaimDomain(ctx, "north", "north.example.com")
	_, errs["user by email"] = u.ByEmail(ctx, "ada@example.com")
	_, errs["users"] = u.List(ctx, platformuser.Filter{})
	return errs
}
