package resolver_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// setup returns a resolver over a registry with one tenant, read by the runtime login.
func setup(t *testing.T) (*resolver.Resolver, *pgxpool.Pool) {
	t.Helper()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	check(t, err)
	_, err = schemactx.Setup(t.Context(), pg.Pool, schemactx.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	check(t, err)
	owner, runtime := open(t, pg.URLAs(roles.Owner(), "o")), open(t, pg.URLAs(roles.Runtime(), "r"))
	runner, err := migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "test", FS: fstest.MapFS{"1_a.sql": {Data: []byte("-- +goose Up\ncreate table a ();\n")}}}},
	})
	check(t, err)
	tenants, err := tenancy.New(owner, tenancy.Config{Migrator: runner, Roles: roles})
	check(t, err)
	check(t, tenants.Init(t.Context()))
	_, err = tenants.Create(t.Context(), tenancy.CreateParams{Slug: "schoola", Domain: "schoola.example.com"})
	check(t, err)
	_, err = tenants.Create(t.Context(), tenancy.CreateParams{Slug: "buch", Domain: "bücher.example"})
	check(t, err)
	db, err := schemactx.New(runtime, schemactx.Config{Roles: roles})
	check(t, err)
	r, err := resolver.New(tenancy.NewRegistry(db), resolver.Config{PublicHosts: []string{"Example.com", "127.0.0.1"}})
	check(t, err)
	return r, pg.Pool
}

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	check(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestResolve(t *testing.T) {
	t.Parallel()
	r, admin := setup(t)
	for host, slug := range map[string]string{
		"schoola.example.com": "schoola", "SCHOOLA.example.com:8000": "schoola", "schoola.example.com.": "schoola",
		"bücher.example": "buch", "xn--bcher-kva.example": "buch", "BÜCHER.example:80": "buch",
	} {
		target, err := r.Resolve(t.Context(), host)
		if err != nil || target.Tenant() == nil || target.Tenant().Slug != slug || target.Public() {
			t.Errorf("%q: %+v, %v", host, target.Tenant(), err)
		}
	}
	for _, host := range []string{"example.com", "EXAMPLE.com:80", "127.0.0.1:8000"} {
		target, err := r.Resolve(t.Context(), host)
		if err != nil || !target.Public() || target.Tenant() != nil {
			t.Errorf("%q: %+v, %v", host, target, err)
		}
	}
	for _, host := range []string{"nosuch.example.com", "www.schoola.example.com", "com", "localhost", "10.0.0.1"} {
		target, err := r.Resolve(t.Context(), host)
		if !errors.Is(err, tenancy.ErrUnknownHost) || target != (tenancy.Target{}) {
			t.Errorf("%q: %+v, %v", host, target, err)
		}
	}
	for _, host := range []string{"", "..", "a b", "*.example.com", "schoola.example.com\x00"} {
		if _, err := r.Resolve(t.Context(), host); !errors.Is(err, tenancy.ErrInvalidHost) {
			t.Errorf("%q: %v", host, err)
		}
	}

	_, err := admin.Exec(t.Context(), "update public.tenants set status = 'suspended' where slug = 'schoola'")
	check(t, err)
	target, err := r.Resolve(t.Context(), "schoola.example.com")
	check(t, err)
	if target.Tenant().Status != tenancy.Suspended {
		t.Errorf("status %s is not the registry's", target.Tenant().Status)
	}
}

func TestResolveWhileTheRegistryIsAway(t *testing.T) {
	t.Parallel()
	r, _ := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Resolve(ctx, "schoola.example.com")
	if err == nil || errors.Is(err, tenancy.ErrUnknownHost) || errors.Is(err, tenancy.ErrInvalidHost) {
		t.Errorf("trouble is taken for an answer: %v", err)
	}
}

func TestNewRefusesPublicHostsThatAreNone(t *testing.T) {
	t.Parallel()
	if _, err := resolver.New(tenancy.NewRegistry(nil), resolver.Config{PublicHosts: []string{"*.example.com"}}); err == nil {
		t.Error("no error")
	}
	if _, err := resolver.New(nil, resolver.Config{}); err == nil {
		t.Error("no error without a registry")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
