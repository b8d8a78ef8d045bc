package resolver_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// platform is the fixture of the examples: a database with a registry and the tenant schoola at
// schoola.example.com.
type platform struct {
	Tenants *tenancy.Manager
	DB      *schemactx.DB // the runtime login
}

// newPlatform creates a platform. It panics on an error. done closes the pools and drops the
// database.
func newPlatform() (p *platform, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	orPanic(err)
	setup, err := admin.Setup(ctx, pg.Pool, admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"})
	orPanic(err)
	owner, err := pgxpool.New(ctx, pg.URLAs(setup.Roles.Owner(), "o"))
	orPanic(err)
	runtime, err := pgxpool.New(ctx, pg.URLAs(setup.Roles.Runtime(), "r"))
	orPanic(err)
	runner, err := migrate.New(
		owner,
		migrate.Config{Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}},
	)
	orPanic(err)
	p = &platform{}
	p.Tenants, err = tenancy.New(owner, tenancy.Config{Migrator: runner})
	orPanic(err)
	orPanic(p.Tenants.Init(ctx))
	p.DB, err = schemactx.New(runtime, schemactx.Config{})
	orPanic(err)
	_, err = p.Tenants.Create(ctx, tenancy.CreateParams{Slug: "schoola", Domain: "schoola.example.com"})
	orPanic(err)
	return p, func() {
		runtime.Close()
		owner.Close()
		orPanic(closeDB())
	}
}

// hello answers with the tenant's slug and the path.
func hello(w http.ResponseWriter, r *http.Request) {
	t, _ := tenancy.FromContext(r.Context())
	fmt.Fprintln(w, t.Slug, r.URL.Path)
}

// show prints the target of each host.
func show(hosts tenanthttp.Resolver, names ...string) {
	for _, host := range names {
		target, err := hosts.Resolve(context.Background(), host)
		switch {
		case err != nil:
			fmt.Println(host, "-", err)
		case target.Public():
			fmt.Println(host, "- public")
		default:
			fmt.Println(host, "-", target.Tenant().Slug)
		}
	}
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
