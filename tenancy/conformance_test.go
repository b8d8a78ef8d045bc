package tenancy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// These tests cover what the tests of django-tenants require of a schema-per-tenant library. The
// public and the tenants' sites are in handler_test.go, names and renames in rename_test.go.

func TestATenantsLife(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.note(t, a, "of a")
	f.note(t, b, "of b")
	_, err := f.tenants.StartMaintenance(t.Context(), "a", tenancy.MaintenanceParams{Reason: "a new name"})
	check(t, err)
	got, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Name: "North", Slug: "north", Schema: "north"})
	check(t, err)
	if got.Status != tenancy.Maintenance {
		t.Errorf("a rename changed the status to %s", got.Status)
	}
	_, err = f.tenants.AddDomain(t.Context(), "north", "north.example.com")
	check(t, err)
	_, err = f.tenants.SetPrimaryDomain(t.Context(), "north", "north.example.com")
	check(t, err)
	check(t, f.tenants.RemoveDomain(t.Context(), "north", "a.example.com"))
	_, err = f.tenants.Suspend(t.Context(), "north", "unpaid")
	check(t, err)
	_, err = f.tenants.EndMaintenance(t.Context(), "north") // its caller does not know of the suspension
	expectIs(t, err, tenancy.ErrStatus)
	_, err = f.tenants.Activate(t.Context(), "north")
	check(t, err)

	north, err := f.registry.ByHost(t.Context(), "north.example.com")
	check(t, err)
	if north.ID != a.ID || north.Status != tenancy.Active || north.Slug != "north" {
		t.Errorf("%+v", north)
	}
	f.expectBody(t, north, "of a")
	f.expectBody(t, b, "of b")
	_, err = f.registry.ByHost(t.Context(), "a.example.com")
	expectIs(t, err, tenancy.ErrNotFound)
	f.expectInvariants(t)
}

// Names that differ only in case are the same name. Elsewhere, "C2" beside "c2" became a tenant in
// the public schema.
func TestNamesThatDifferInCaseAloneDoNotMeet(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "c2", Domain: "c2.example.com", Schema: "c2"})
	check(t, err)
	before := f.rows(t)
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "C2", Domain: "other.example.com"})
	expectField(t, err, "slug")
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "other", Domain: "C2.Example.COM"})
	expectIs(t, err, tenancy.ErrDomainTaken)
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "other", Domain: "other.example.com", Schema: "C2"})
	var nameErr *schemactx.NameError
	if !errors.As(err, &nameErr) {
		t.Errorf("schema C2: %v", err)
	}
	_, err = f.tenants.AddDomain(t.Context(), "c2", "Xn--Bcher-KVA.example")
	check(t, err)
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "other", Domain: "BÜCHER.example"})
	expectIs(t, err, tenancy.ErrDomainTaken)
	if after := f.rows(t); after[0] != before[0] || after[2] != before[2] {
		t.Errorf("tenants, domains and schemas were %v and are %v", before, after)
	}
}

func TestContextsNestAndReturn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.note(t, a, "of a")
	f.note(t, b, "of b")
	read := func(ctx context.Context, want string) {
		t.Helper()
		var body string
		check(t, f.db.QueryRow(ctx, "select body from notes").Scan(&body))
		tenant, _ := tenancy.FromContext(ctx)
		if body != want || "of "+tenant.Slug != want {
			t.Errorf("in the context of %s: %q, want %q", tenant.Slug, body, want)
		}
	}
	inA := tenancy.NewContext(t.Context(), &a)
	inB := tenancy.NewContext(inA, &b)
	backInA := tenancy.NewContext(inB, &a)
	read(inB, "of b")
	read(inA, "of a") // the outer context has not changed
	read(backInA, "of a")

	public := schemactx.NewPublicContext(inA)
	_, err := f.db.Exec(public, "select * from notes")
	if err == nil {
		t.Error("the public scope reads a tenant's table")
	}
	read(inA, "of a")
	_, err = f.db.Exec(t.Context(), "select 1")
	expectIs(t, err, schemactx.ErrNoSchema)

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

func TestAFailureInsideOfATenantLeavesTheContextOutside(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.note(t, a, "of a")
	ctx := tenancy.NewContext(t.Context(), &a)
	func() {
		defer func() { _ = recover() }()
		_, err := f.db.Exec(tenancy.NewContext(ctx, &b), "select * from nowhere")
		panic(err)
	}()
	var body string
	check(t, f.db.QueryRow(ctx, "select body from notes").Scan(&body))
	if body != "of a" {
		t.Errorf("read %q", body)
	}
}
