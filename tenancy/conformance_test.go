package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// These tests cover what the tests of django-tenants require of a schema-per-tenant library.
// Package tenanthttp tests the public and the tenants' sites, and rename_test.go tests renames.

func TestTenantLifecycle(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.insertNote(t, a, "of a")
	f.insertNote(t, b, "of b")
	_, err := f.tenants.StartMaintenance(t.Context(), "a", tenancy.MaintenanceParams{Reason: "a new name"})
	require.NoError(t, err)
	got, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Name: "North", Slug: "north", Schema: "north"})
	require.NoError(t, err)
	assert.Equal(t, tenancy.Maintenance, got.Status, "status after the rename")
	_, err = f.tenants.AddDomain(t.Context(), "north", "north.example.com")
	require.NoError(t, err)
	_, err = f.tenants.SetPrimaryDomain(t.Context(), "north", "north.example.com")
	require.NoError(t, err)
	require.NoError(t, f.tenants.RemoveDomain(t.Context(), "north", "a.example.com"))
	_, err = f.tenants.Suspend(t.Context(), "north", "unpaid")
	require.NoError(t, err)
	_, err = f.tenants.EndMaintenance(t.Context(), "north") // the tenant was suspended during the maintenance
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	_, err = f.tenants.Activate(t.Context(), "north")
	require.NoError(t, err)

	north, err := f.registry.ByHost(t.Context(), "north.example.com")
	require.NoError(t, err)
	assert.Equal(t, a.ID, north.ID)
	assert.Equal(t, tenancy.Active, north.Status)
	assert.Equal(t, "north", north.Slug)
	f.expectNote(t, north, "of a")
	f.expectNote(t, b, "of b")
	_, err = f.registry.ByHost(t.Context(), "a.example.com")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	f.expectInvariants(t)
}

// Names that differ only in case are the same name. In django-tenants, "C2" beside "c2" became a
// tenant in the public schema.
func TestNamesThatDifferOnlyInCaseAreEqual(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "c2", Domain: "c2.example.com", Schema: "c2"})
	require.NoError(t, err)
	before := f.countRows(t)
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "C2", Domain: "other.example.com"})
	expectField(t, err, "slug")
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "other", Domain: "C2.Example.COM"})
	assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "other", Domain: "other.example.com", Schema: "C2"})
	var nameErr *schemactx.NameError
	assert.ErrorAs(t, err, &nameErr, "schema C2")
	_, err = f.tenants.AddDomain(t.Context(), "c2", "Xn--Bcher-KVA.example")
	require.NoError(t, err)
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "other", Domain: "BÜCHER.example"})
	assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
	after := f.countRows(t)
	assert.Equal(t, before[0], after[0], "tenants")
	assert.Equal(t, before[2], after[2], "schemas")
}

func TestNestedContexts(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.insertNote(t, a, "of a")
	f.insertNote(t, b, "of b")
	read := func(ctx context.Context, want string) {
		t.Helper()
		var body string
		require.NoError(t, f.db.QueryRow(ctx, "select body from notes").Scan(&body))
		tenant, _ := tenancy.FromContext(ctx)
		assert.Equal(t, want, "of "+tenant.Slug, "tenant in the context")
		assert.Equal(t, want, body, "note of the tenant in the context")
	}
	inA := tenancy.NewContext(t.Context(), &a)
	inB := tenancy.NewContext(inA, &b)
	backInA := tenancy.NewContext(inB, &a)
	read(inB, "of b")
	read(inA, "of a") // the outer context has not changed
	read(backInA, "of a")

	public := schemactx.NewPublicContext(inA)
	_, err := f.db.Exec(public, "select * from notes")
	assert.Error(t, err, "the public scope reads a tenant's table")
	read(inA, "of a")
	_, err = f.db.Exec(t.Context(), "select 1")
	assert.ErrorIs(t, err, schemactx.ErrNoSchema)

	tenants := []*tenancy.Tenant{&a, &b}
	var descend func(ctx context.Context, depth int)
	descend = func(ctx context.Context, depth int) { // each call still has its tenant after the nested one
		tenant := tenants[depth%2]
		ctx = tenancy.NewContext(ctx, tenant)
		read(ctx, "of "+tenant.Slug)
		if depth > 0 {
			descend(ctx, depth-1)
		}
		read(ctx, "of "+tenant.Slug)
	}
	descend(t.Context(), 20)
}

func TestFailureInNestedContextKeepsOuterContext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.insertNote(t, a, "of a")
	ctx := tenancy.NewContext(t.Context(), &a)
	func() {
		defer func() { _ = recover() }()
		_, err := f.db.Exec(tenancy.NewContext(ctx, &b), "select * from nowhere")
		panic(err)
	}()
	var body string
	require.NoError(t, f.db.QueryRow(ctx, "select body from notes").Scan(&body))
	assert.Equal(t, "of a", body)
}
