package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

//go:embed migrations/*.sql
var files embed.FS

func main() {
	ctx := context.Background()
	owner := must(pgxpool.New(ctx, os.Getenv("OWNER_URL")))     // creates and migrates the tenants' schemas
	runtime := must(pgxpool.New(ctx, os.Getenv("RUNTIME_URL"))) // serves requests, without privileges of its own
	runner := must(migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "notes", FS: must(fs.Sub(files, "migrations"))}},
	}))
	tenants := must(tenancy.New(owner, tenancy.Config{Migrator: runner}))
	switch args := os.Args[1:]; len(args) {
	case 0:
		db := must(schemactx.New(runtime, schemactx.Config{}))
		hosts := must(resolver.NewDirectory(ctx, db, resolver.Config{PublicHosts: []string{"example.com"}}))
		handler := tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: notes(db)})
		log.Fatal(http.ListenAndServe(cmp.Or(os.Getenv("LISTEN"), ":8000"), handler))
	case 1: // setup: makes the two logins and the registry of tenants
		pool := must(pgxpool.New(ctx, os.Getenv("ADMIN_URL")))
		report := must(admin.Setup(ctx, pool, admin.SetupConfig{
			OwnerPassword: owner.Config().ConnConfig.Password, RuntimePassword: runtime.Config().ConnConfig.Password,
		}))
		must("", errors.Join(report.Err(), tenants.Init(ctx)))
	case 2: // a slug and a host: makes a tenant
		must(tenants.Create(ctx, tenancy.CreateParams{Slug: args[0], Domain: args[1]}))
	}
}

// notes counts the notes of the tenant whose host the request has.
func notes(db *schemactx.DB) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if err := db.QueryRow(r.Context(), "select count(*) from notes").Scan(&n); err != nil {
			problem, _ := tenanthttp.UnavailableProblem(r, err) // 503 with Retry-After; 500 for other errors
			problem.Respond(w)
			return
		}
		fmt.Fprintln(w, n, "notes")
	})
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
