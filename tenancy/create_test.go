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
	"github.com/oryne/pgtenant/tenancy"
)

func TestCreatedTenantIsReadyToUse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Name: "School A", Domain: "A.Example.com."})
	check(t, err)
	if a.Status != tenancy.Active || a.Schema != fmt.Sprintf("tenant_%d", a.ID) || a.Name != "School A" || a.Operation != nil {
		t.Errorf("created %+v", a)
	}
	b := f.create(t, "b")
	ctx := tenancy.NewContext(t.Context(), &a)
	_, err = f.db.Exec(ctx, "insert into notes values ('of a')")
	check(t, err)
	var n int
	check(t, f.db.QueryRow(tenancy.NewContext(t.Context(), &b), "select count(*) from notes").Scan(&n))
	if n != 0 {
		t.Errorf("b sees %d notes", n)
	}
	_, err = f.db.Exec(ctx, "select * from "+b.Schema+".notes")
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "42501" {
		t.Errorf("a reads b: %v", err)
	}
	found, err := f.registry.ByHost(t.Context(), "a.example.com:8000")
	check(t, err)
	if found.ID != a.ID || found.Schema != a.Schema || found.Slug != "a" || found.Status != tenancy.Active || found.Version != a.Version {
		t.Errorf("found %+v, want %+v", found, a)
	}
}

func TestRuntimeMayReadWhatLeadsToATenantAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	ctx := schemactx.NewPublicContext(t.Context())
	for sql, allowed := range map[string]bool{
		"select id, schema_name, slug, status, limits from tenants":                true,
		"select tenant_id, host, is_primary from domains":                          true,
		"select * from tenants":                                                    false,
		"select metadata from tenants":                                             false,
		"select operation from registry_operations":                                false,
		"select token from domains":                                                false,
		"select * from platform_users":                                             false,
		"select * from schema_names":                                               false,
		"select * from drop_requests":                                              false,
		"update tenants set slug = 'x'":                                            false,
		"delete from domains":                                                      false,
		"insert into domains (tenant_id, host, is_primary) values (1, 'x', false)": false,
		"select * from goose_db_version":                                           false,
	} {
		_, err := f.db.Exec(ctx, sql)
		if (err == nil) != allowed {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestCreateRefusesBadInputAndChangesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "taken")
	before := f.rows(t)
	long := strings.Repeat("x", 64)
	for name, c := range map[string]struct {
		params tenancy.CreateParams
		field  string
	}{
		"no slug":          {tenancy.CreateParams{Domain: "x.example.com"}, "slug"},
		"slug in capitals": {tenancy.CreateParams{Slug: "ABC", Domain: "x.example.com"}, "slug"},
		"slug of 64 bytes": {tenancy.CreateParams{Slug: long, Domain: "x.example.com"}, "slug"},
		"slug with SQL":    {tenancy.CreateParams{Slug: "a'; drop table tenants; --", Domain: "x.example.com"}, "slug"},
		"slug with hyphen": {tenancy.CreateParams{Slug: "-a", Domain: "x.example.com"}, "slug"},
		"long name":        {tenancy.CreateParams{Slug: "x", Name: strings.Repeat("ü", 201), Domain: "x.example.com"}, "name"},
		"name with NUL":    {tenancy.CreateParams{Slug: "x", Name: "a\x00b", Domain: "x.example.com"}, "name"},
		"name not UTF-8":   {tenancy.CreateParams{Slug: "x", Name: "\xff", Domain: "x.example.com"}, "name"},
		"blank domain":     {tenancy.CreateParams{Slug: "x", Domain: " "}, "domain"},
		"wildcard domain":  {tenancy.CreateParams{Slug: "x", Domain: "*.example.com"}, "domain"},
		"address":          {tenancy.CreateParams{Slug: "x", Domain: "127.0.0.1"}, "domain"},
		"domain with port": {tenancy.CreateParams{Slug: "x", Domain: "x.example.com:80"}, "domain"},
	} {
		_, err := f.tenants.Create(t.Context(), c.params)
		var field *tenancy.FieldError
		if !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%s: got %v, want a FieldError of %s", name, err, c.field)
		}
	}
	for want, params := range map[error]tenancy.CreateParams{
		tenancy.ErrSlugTaken:   {Slug: "taken", Domain: "other.example.com"},
		tenancy.ErrDomainTaken: {Slug: "other", Domain: "TAKEN.example.com"},
	} {
		_, err := f.tenants.Create(t.Context(), params)
		expectIs(t, err, want)
	}
	for _, schema := range []string{"public", "pg_x", "X", "a,b"} {
		_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "x", Domain: "x.example.com", Schema: schema})
		var nameErr *schemactx.NameError
		if !errors.As(err, &nameErr) {
			t.Errorf("schema %q: %v", schema, err)
		}
	}
	if after := f.rows(t); after != before {
		t.Errorf("tenants, domains and schemas were %v and are %v", before, after)
	}
}

func TestCreateThatFailedIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	trouble := errors.New("the disk is full")
	f.migrator.broken.Store(&trouble)
	_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	var create *tenancy.StepError
	if !errors.As(err, &create) || create.Op != tenancy.OpCreate || create.Step != "migrate" || !errors.Is(err, trouble) {
		t.Fatalf("got %v", err)
	}
	stuck, err := f.tenants.BySlug(t.Context(), "a")
	check(t, err)
	if stuck.Status != tenancy.Provisioning || !strings.Contains(failureOf(stuck), "disk is full") {
		t.Errorf("after the failure: %+v", stuck)
	}
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "b.example.com"})
	expectIs(t, err, tenancy.ErrSlugTaken)

	f.migrator.broken.Store(nil)
	a, err := f.tenants.Resume(t.Context(), "a")
	check(t, err)
	if a.Status != tenancy.Active || a.Operation != nil || a.Schema != stuck.Schema {
		t.Errorf("resumed %+v", a)
	}
	_, err = f.tenants.Resume(t.Context(), "a")
	expectIs(t, err, tenancy.ErrStatus)
	_, err = f.tenants.Resume(t.Context(), "nobody")
	expectIs(t, err, tenancy.ErrNotFound)
}

func TestCreateWhoseContextEndsLeavesANote(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.migrator.Migrator = migratorFunc(func(ctx context.Context, _ string) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	_, err := f.tenants.Create(ctx, tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	expectIs(t, err, context.Canceled)
	stuck, err := f.tenants.BySlug(t.Context(), "a")
	check(t, err)
	if stuck.Status != tenancy.Provisioning || failureOf(stuck) == "" {
		t.Errorf("after the cancel: %+v", stuck)
	}
}

type migratorFunc func(ctx context.Context, schema string) error

func (f migratorFunc) Migrate(ctx context.Context, schema string) error { return f(ctx, schema) }

func TestOneOfManyCreatesOfASlugWins(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var wg sync.WaitGroup
	var created atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: fmt.Sprintf("a%d.example.com", i)})
			switch {
			case err == nil:
				created.Add(1)
			case !errors.Is(err, tenancy.ErrSlugTaken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 || f.rows(t) != [3]int{1, 1, 1} {
		t.Errorf("%d created; tenants, domains and schemas: %v", created.Load(), f.rows(t))
	}
}

func TestManyTenantsAreCreatedAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			slug := fmt.Sprintf("t%d", i)
			if _, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := f.registry.List(t.Context(), tenancy.Filter{})
	check(t, err)
	if len(all.Tenants) != 8 {
		t.Errorf("%d tenants", len(all.Tenants))
	}
}

func TestInitCanRunAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	check(t, f.tenants.Init(t.Context()))
	_, err := f.registry.BySlug(t.Context(), "a")
	check(t, err)
}
