package main

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

//go:embed migrations/*.sql
var files embed.FS

func main() {
	ctx := context.Background()
	owner := must(pgxpool.New(ctx, os.Getenv("OWNER_URL")))     // migrates and creates tenants
	runtime := must(pgxpool.New(ctx, os.Getenv("RUNTIME_URL"))) // serves requests; has no rights of its own
	runner := must(migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "notes", FS: must(fs.Sub(files, "migrations"))}},
	}))
	tenants := must(tenancy.New(owner, tenancy.Config{Migrator: runner}))
	must("", tenants.Init(ctx))
	if len(os.Args) == 3 { // a slug and a host: a new tenant
		must(tenants.Create(ctx, tenancy.CreateParams{Slug: os.Args[1], Domain: os.Args[2]}))
		return
	}
	db := must(schemactx.New(runtime, schemactx.Config{}))
	hosts := must(resolver.NewDirectory(ctx, db, resolver.Config{PublicHosts: []string{"example.com"}}))
	app := http.NewServeMux()
	app.HandleFunc("GET /notes", func(w http.ResponseWriter, r *http.Request) {
		var n int // of the tenant whose host this is, and of nobody else
		if err := db.QueryRow(r.Context(), "select count(*) from notes").Scan(&n); err != nil {
			problem, _ := tenanthttp.UnavailableProblem(r, err) // 503 with Retry-After; of other errors 500
			problem.Respond(w)
			return
		}
		fmt.Fprintln(w, n, "notes")
	})
	log.Fatal(http.ListenAndServe(cmp.Or(os.Getenv("LISTEN"), ":8000"), tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: app})))
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
