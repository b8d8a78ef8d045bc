package erp_test

import (
	"context"
	"net/http"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// fixture is two schools behind the whole stack: hosts, handler, scopes, roles.
type fixture struct {
	pg      *pgtest.DB
	db      *schemactx.DB
	hosts   *resolver.Directory
	a, b    tenancy.Tenant // at a.example.com and b.example.com
	handler http.Handler
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	roles, err := schemactx.NewRoleNames(f.pg.RolePrefix)
	check(t, err)
	_, err = schemactx.Setup(t.Context(), f.pg.Pool, schemactx.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	check(t, err)
	owner := openPool(t, f.pg.URLAs(roles.Owner(), "o"))
	runner, err := migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}},
	})
	check(t, err)
	tenants, err := tenancy.New(owner, tenancy.Config{Migrator: runner, Roles: roles})
	check(t, err)
	check(t, tenants.Init(t.Context()))
	f.a, err = tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	check(t, err)
	f.b, err = tenants.Create(t.Context(), tenancy.CreateParams{Slug: "b", Domain: "b.example.com"})
	check(t, err)
	f.db, err = schemactx.New(openPool(t, f.pg.URLAs(roles.Runtime(), "r")), schemactx.Config{Roles: roles})
	check(t, err)
	f.hosts, err = resolver.NewDirectory(t.Context(), f.db, resolver.Config{PublicHosts: []string{"example.com"}})
	check(t, err)
	t.Cleanup(f.hosts.Close)
	f.handler = f.serve(erp.Handler(f.db, erp.HandlerConfig{}))
	return f
}

// serve puts a tenants' handler behind the hosts.
func (f *fixture) serve(h http.Handler) http.Handler {
	return tenancy.Handler(f.hosts, tenancy.Routes{Tenant: h})
}

// students counts the rows of both schools.
func (f *fixture) students(t *testing.T) (counts [2]int) {
	t.Helper()
	for i, school := range []tenancy.Tenant{f.a, f.b} {
		check(t, f.db.QueryRow(tenancy.NewContext(t.Context(), &school), "select count(*) from students").Scan(&counts[i]))
	}
	return counts
}

func openPool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	check(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
