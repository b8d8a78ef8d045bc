package quarantine_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing/fstest"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/quarantine"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// A program that migrates at its start serves the tenants whose migration succeeds, and each other
// tenant as soon as it is migrated.
func Example() {
	ctx := context.Background()
	db, closeDB, err := pgtest.Open(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		if err := closeDB(); err != nil {
			fmt.Println(err)
		}
	}()
	_, err = db.Pool.Exec(ctx, "create schema acme; create schema bolt; create table bolt.notes ()") // bolt fails
	if err != nil {
		fmt.Println(err)
		return
	}
	files := fstest.MapFS{"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")}}
	runner, err := migrate.New(db.Pool, migrate.Config{Tenant: []migrate.Source{{Name: "app", FS: files}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	schemas := migrate.Schemas("acme", "bolt") // or tenants.Schemas of package tenancy

	report, err := runner.UpAll(ctx, schemas, migrate.UpAllOptions{})
	if report.Stopped != nil {
		fmt.Println(err) // the run itself failed, not single schemas
		return
	}
	q, err := quarantine.New(ctx, quarantine.Config{Runner: runner, Schemas: schemas, Results: report.Results})
	if err != nil {
		fmt.Println(err)
		return
	}
	// go q.Run(ctx)

	hosts := tenanthttp.ResolverFunc(func(_ context.Context, host string) (tenanthttp.Target, error) {
		slug, _, _ := strings.Cut(host, ".")
		return tenanthttp.TenantTarget(&tenancy.Tenant{Slug: slug, Schema: slug, Status: tenancy.Active}), nil
	})
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	site := tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: app, Admit: q.Admit})
	ask := func(host string) {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+host+"/", nil))
		fmt.Println(host, w.Code, strings.ReplaceAll(strings.TrimSpace(w.Body.String()), `,"`, ",\n\""))
	}
	ask("acme.example.com")
	ask("bolt.example.com")

	if _, err := db.Pool.Exec(ctx, "drop table bolt.notes"); err != nil {
		fmt.Println(err)
		return
	}
	result, err := runner.Up(ctx, "bolt") // if another process does this, Run finds out within a second
	q.Migrated(ctx, result)
	fmt.Println(result.Outcome, err)
	ask("bolt.example.com")

	// Output:
	// acme.example.com 200 hello
	// bolt.example.com 503 {"type":"urn:pgtenant:problem:quarantined",
	// "title":"Being updated",
	// "status":503,
	// "detail":"This site cannot be used until its database has been brought up to date."}
	// migrated <nil>
	// bolt.example.com 200 hello
}
