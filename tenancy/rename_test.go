package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// note writes into the tenant's table, and body reads it.
func (f *fixture) note(t *testing.T, tenant tenancy.Tenant, body string) {
	t.Helper()
	_, err := f.db.Exec(tenancy.NewContext(t.Context(), &tenant), "insert into notes values ($1)", body)
	check(t, err)
}

func (f *fixture) body(ctx context.Context, tenant tenancy.Tenant) (body string, err error) {
	err = f.db.QueryRow(tenancy.NewContext(ctx, &tenant), "select body from notes").Scan(&body)
	return body, err
}

func (f *fixture) expectBody(t *testing.T, tenant tenancy.Tenant, want string) {
	t.Helper()
	got, err := f.body(t.Context(), tenant)
	check(t, err)
	if got != want {
		t.Errorf("%s reads %q, want %q", tenant.Slug, got, want)
	}
}

func TestRenamedTenantKeepsItsRowsAndNobodyElseGetsItsOldName(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.note(t, a, "of a")
	f.note(t, b, "of b")
	for range 2 { // the second time there is nothing left to do
		got, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Name: "North", Slug: "north", Schema: "north"})
		check(t, err)
		if got.ID != a.ID || got.Name != "North" || got.Slug != "north" || got.Schema != "north" || nextSchema(got) != "" || got.Status != tenancy.Active {
			t.Errorf("renamed %+v", got)
		}
	}
	north, err := f.registry.BySlug(t.Context(), "north")
	check(t, err)
	f.expectBody(t, north, "of a")
	f.note(t, north, "more of a")
	_, err = f.body(t.Context(), a) // somebody who has not heard of it
	if !errors.Is(err, schemactx.ErrSchemaMissing) && !errors.Is(err, schemactx.ErrNotProvisioned) {
		t.Errorf("the old name: %v", err)
	}
	_, err = f.db.Exec(tenancy.NewContext(t.Context(), &b), "select * from north.notes")
	if err == nil {
		t.Error("b reads the renamed schema")
	}
	_, err = f.tenants.BySlug(t.Context(), "a")
	expectIs(t, err, tenancy.ErrNotFound)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Slug: "x", Schema: "x"})
	expectIs(t, err, tenancy.ErrNotFound)

	_, err = f.tenants.Rename(t.Context(), "north", tenancy.RenameParams{Schema: "south"})
	check(t, err)
	for _, schema := range []string{"north", "south"} { // once its own, and its own
		_, err = f.tenants.Rename(t.Context(), "b", tenancy.RenameParams{Schema: schema})
		expectIs(t, err, admin.ErrTaken)
		_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "c", Domain: "c.example.com", Schema: schema})
		expectIs(t, err, admin.ErrTaken)
	}
	_, err = f.tenants.Rename(t.Context(), "north", tenancy.RenameParams{Schema: "north"})
	expectIs(t, err, admin.ErrTaken)
	f.expectBody(t, b, "of b")
	f.expectInvariants(t)
}

func TestNamesThatCollideAreFoundBeforeAnythingHappens(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.create(t, "b")
	_, err := f.pg.Pool.Exec(t.Context(), "create schema theirs")
	check(t, err)
	f.expectRefusedNames(t, "a")
	after, err := f.tenants.ByID(t.Context(), a.ID)
	check(t, err)
	if after.Version != a.Version || after.Schema != a.Schema || nextSchema(after) != "" {
		t.Errorf("%+v is now %+v", a, after)
	}
	_, err = f.pg.Pool.Exec(t.Context(), "drop schema theirs")
	check(t, err)
	f.expectInvariants(t)
}

func (f *fixture) expectRefusedNames(t *testing.T, slug string) {
	t.Helper()
	for _, schema := range []string{
		"A", "Tenant_1", strings.Repeat("x", 64), "1a", "a-b", "a b", "a,b", `a"b`, "a\x00", "ü", "$user",
		"public", "pg_catalog", "pg_temp_3", "information_schema", "none", "default", "tenant_1", "tenant_999", "tenant_00",
	} {
		_, err := f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Schema: schema})
		var nameErr *schemactx.NameError
		if !errors.As(err, &nameErr) {
			t.Errorf("schema %q: %v", schema, err)
		}
		_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "new", Domain: "new.example.com", Schema: schema})
		if !errors.As(err, &nameErr) {
			t.Errorf("create with schema %q: %v", schema, err)
		}
	}
	for field, p := range map[string]tenancy.RenameParams{"slug": {Slug: "A"}, "name": {Name: "a\n"}} {
		_, err := f.tenants.Rename(t.Context(), slug, p)
		expectField(t, err, field)
	}
	_, err := f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Slug: "b", Schema: "fresh", Name: "New"})
	expectIs(t, err, tenancy.ErrSlugTaken)
	_, err = f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Schema: "theirs", Slug: "new", Name: "New"})
	expectIs(t, err, admin.ErrTaken)
	_, err = f.tenants.Rename(t.Context(), "nobody", tenancy.RenameParams{Schema: "fresh", Slug: slug})
	expectIs(t, err, tenancy.ErrNotFound)
}

func TestNameAndSlugAreChangedWithoutTheSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com", Schema: "first"})
	check(t, err)
	got, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Slug: "north"})
	check(t, err)
	if got.Slug != "north" || got.Name != "a" || got.Schema != a.Schema {
		t.Errorf("renamed %+v", got)
	}
	got, err = f.tenants.Rename(t.Context(), "north", tenancy.RenameParams{Name: "North", Schema: "first"})
	check(t, err)
	if got.Slug != "north" || got.Name != "North" || got.Schema != a.Schema {
		t.Errorf("renamed %+v", got)
	}
	f.expectInvariants(t)
}

// stuck is a tenant whose rename to the schema next has stopped before the schema was renamed.
func (f *fixture) stuck(t *testing.T, slug, next string) {
	t.Helper()
	trouble := errors.New("no connection")
	tenants := f.manager(t, tenancy.Config{Hooks: tenancy.Hooks{Before: func(_ context.Context, d tenancy.StepData) error {
		if d.Step == "schema" {
			return trouble
		}
		return nil
	}}})
	_, err := tenants.Rename(t.Context(), slug, tenancy.RenameParams{Schema: next})
	var step *tenancy.StepError
	if !errors.As(err, &step) || step.Op != tenancy.OpRename || step.Step != "schema" || nextSchema(step.Tenant) != next || !errors.Is(err, trouble) {
		t.Fatalf("got %v", err)
	}
}

func TestARenameUnderWayKeepsOthersOut(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com", Schema: "first"})
	check(t, err)
	f.note(t, a, "of a")
	f.stuck(t, "a", "north")
	for _, schema := range []string{"south", "first"} {
		got, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: schema, Name: "New"})
		var busy *tenancy.BusyError
		if !errors.As(err, &busy) || !errors.Is(err, tenancy.ErrBusy) || nextSchema(busy.Tenant) != "north" || busy.Op != tenancy.OpRename || got.Name == "New" {
			t.Errorf("got %v", err)
		}
	}
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Name: "New"}) // which is not in the way
	check(t, err)
	got, err := f.tenants.Suspend(t.Context(), "a", "")
	check(t, err)
	if nextSchema(got) != "north" {
		t.Errorf("suspended %+v", got)
	}
	got, err = f.tenants.Resume(t.Context(), "a")
	check(t, err)
	if got.Schema != "north" || nextSchema(got) != "" || got.Status != tenancy.Suspended {
		t.Errorf("resumed %+v", got)
	}
	_, err = f.tenants.Resume(t.Context(), "a")
	expectIs(t, err, tenancy.ErrStatus)
	f.expectBody(t, got, "of a")
	f.expectInvariants(t)
}

// A schema that somebody makes by hand between the look and the step.
func TestARenameThatCannotBeIsGivenUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.note(t, a, "of a")
	f.stuck(t, "a", "north")
	_, err := f.pg.Pool.Exec(t.Context(), "create schema north")
	check(t, err)
	got, err := f.tenants.Resume(t.Context(), "a")
	expectIs(t, err, admin.ErrTaken)
	if got.Schema != a.Schema || nextSchema(got) != "" {
		t.Errorf("given up: %+v", got)
	}
	f.expectBody(t, got, "of a")
	got, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "south"})
	check(t, err)
	f.expectBody(t, got, "of a")
	_, err = f.pg.Pool.Exec(t.Context(), "drop schema north")
	check(t, err)
	f.expectInvariants(t)
}

func TestRequestsDuringARenameSeeTheirRowsOrAnError(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.note(t, a, "of a")
	f.note(t, b, "of b")
	names := make([]tenancy.Tenant, 4) // what some process may still take for a's schema
	for i := range names {
		names[i] = a
		if i > 0 {
			names[i].Schema = fmt.Sprintf("north%d", i)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var read atomic.Int32
	for i := range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				body, err := f.body(ctx, names[i])
				switch {
				case err == nil && body == "of a":
					read.Add(1)
				case err == nil:
					t.Errorf("a read %q", body)
				case ctx.Err() == nil && !gone(err):
					t.Errorf("a read: %v", err)
				}
			}
		})
	}
	for _, tenant := range names[1:] {
		for seen := read.Load(); read.Load() == seen && !t.Failed(); { // until somebody has read under the name before
		}
		_, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: tenant.Schema})
		check(t, err)
		_, err = f.tenants.Rename(t.Context(), "b", tenancy.RenameParams{Schema: "other_" + tenant.Schema})
		check(t, err)
	}
	cancel()
	wg.Wait()
	f.expectInvariants(t)
}

// gone reports whether a request met a schema that is not there any more: when it began, or, as PostgreSQL says then, when its
// statement looked for the table.
func gone(err error) bool {
	var pgErr *pgconn.PgError
	return errors.Is(err, schemactx.ErrSchemaMissing) || errors.Is(err, schemactx.ErrNotProvisioned) ||
		errors.As(err, &pgErr) && pgErr.Code == "42P01"
}
