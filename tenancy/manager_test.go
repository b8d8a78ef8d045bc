package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// fixture is a database with roles and registry, and without tenants.
type fixture struct {
	pg       *pgtest.DB
	roles    schemactx.RoleNames
	owner    *pgxpool.Pool
	tenants  *tenancy.Manager
	migrator *breakable
	db       *schemactx.DB // the runtime login
	registry *tenancy.Registry
}

// breakable is a migrator that fails on tenants while it is told to.
type breakable struct {
	tenancy.Migrator
	broken atomic.Pointer[error]
}

func (b *breakable) Migrate(ctx context.Context, schema string) error {
	if err := b.broken.Load(); err != nil && schema != schemactx.Public {
		return *err
	}
	return b.Migrator.Migrate(ctx, schema)
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	check(t, err)
	_, err = schemactx.Setup(t.Context(), f.pg.Pool, schemactx.SetupConfig{Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r"})
	check(t, err)
	f.owner = f.pool(t, f.roles.Owner(), "o")
	runner, err := migrate.New(f.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "test", FS: fstest.MapFS{
			"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
		}}},
	})
	check(t, err)
	f.migrator = &breakable{Migrator: runner}
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{Migrator: f.migrator, Roles: f.roles})
	check(t, err)
	check(t, f.tenants.Init(t.Context()))
	f.db, err = schemactx.New(f.pool(t, f.roles.Runtime(), "r"), schemactx.Config{Roles: f.roles})
	check(t, err)
	f.registry = tenancy.NewRegistry(f.db)
	return f
}

func (f *fixture) pool(t *testing.T, user, password string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), f.pg.URLAs(user, password))
	check(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func (f *fixture) create(t *testing.T, slug string) tenancy.Tenant {
	t.Helper()
	tenant, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	check(t, err)
	return tenant
}

// rows counts tenants, domains and tenant schemas: what a refused create must not change.
func (f *fixture) rows(t *testing.T) (counts [3]int) {
	t.Helper()
	check(t, f.pg.Pool.QueryRow(t.Context(), `select (select count(*) from public.tenants), (select count(*) from public.domains),
		(select count(*) from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema'))`).
		Scan(&counts[0], &counts[1], &counts[2]))
	return counts
}

func TestCreatedTenantIsReadyToUse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Name: "School A", Domain: "A.Example.com."})
	check(t, err)
	if a.Status != tenancy.Active || a.Schema != fmt.Sprintf("tenant_%d", a.ID) || a.Name != "School A" || a.Failure != "" {
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
	if found != a {
		t.Errorf("found %+v, want %+v", found, a)
	}
}

func TestRuntimeMayReadTenantsAndDomainsAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	ctx := schemactx.NewPublicContext(t.Context())
	for sql, allowed := range map[string]bool{
		"select * from tenants":         true,
		"select * from domains":         true,
		"select * from platform_users":  false,
		"update tenants set slug = 'x'": false,
		"delete from domains":           false,
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
		"no domain":        {tenancy.CreateParams{Slug: "x"}, "domain"},
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
	var create *tenancy.CreateError
	if !errors.As(err, &create) || create.Step != "migrate" || !errors.Is(err, trouble) {
		t.Fatalf("got %v", err)
	}
	stuck, err := f.tenants.BySlug(t.Context(), "a")
	check(t, err)
	if stuck.Status != tenancy.Provisioning || !strings.Contains(stuck.Failure, "disk is full") {
		t.Errorf("after the failure: %+v", stuck)
	}
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "b.example.com"})
	expectIs(t, err, tenancy.ErrSlugTaken)

	f.migrator.broken.Store(nil)
	a, err := f.tenants.Resume(t.Context(), "a")
	check(t, err)
	if a.Status != tenancy.Active || a.Failure != "" || a.Schema != stuck.Schema {
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
	if stuck.Status != tenancy.Provisioning || stuck.Failure == "" {
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
	all, err := f.registry.List(t.Context())
	check(t, err)
	if len(all) != 8 {
		t.Errorf("%d tenants", len(all))
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

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expectIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}
