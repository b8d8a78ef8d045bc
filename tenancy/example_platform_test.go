package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// platform is what the examples begin with: a database of their own with a registry, and the tenants schoola and schoolb
// on hosts of example.com, each with a table students in which its first two are. The public site is example.com itself.
type platform struct {
	Owner    *pgxpool.Pool
	Tenants  *tenancy.Manager
	DB       *schemactx.DB // the runtime login
	Registry *tenancy.Registry
	Hosts    tenancy.Resolver
}

// newPlatform panics when it fails. done closes the pools and drops the database.
func newPlatform() (p *platform, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	orPanic(err)
	setup, err := schemactx.Setup(ctx, pg.Pool, schemactx.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"})
	orPanic(err)
	p = &platform{}
	p.Owner, err = pgxpool.New(ctx, pg.URLAs(setup.Roles.Owner(), "o"))
	orPanic(err)
	runtime, err := pgxpool.New(ctx, pg.URLAs(setup.Roles.Runtime(), "r"))
	orPanic(err)
	runner, err := migrate.New(p.Owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "school", FS: fstest.MapFS{
			"00001_students.sql": {Data: []byte("-- +goose Up\ncreate table students (name text not null);\n")},
		}}},
	})
	orPanic(err)
	p.Tenants, err = tenancy.New(p.Owner, tenancy.Config{Migrator: runner})
	orPanic(err)
	orPanic(p.Tenants.Init(ctx))
	p.DB, err = schemactx.New(runtime, schemactx.Config{})
	orPanic(err)
	p.Registry = tenancy.NewRegistry(p.DB)
	p.addSchool(ctx, "schoola", "Amara", "Bruno")
	p.addSchool(ctx, "schoolb", "Mateo", "Nadia")
	p.Hosts = tenancy.ResolverFunc(p.resolve)
	return p, func() {
		runtime.Close()
		p.Owner.Close()
		orPanic(closeDB())
	}
}

// resolve asks the registry each time, so that the examples see their own changes at once; a program has the directory of
// package resolver, which hears of them a moment later.
func (p *platform) resolve(ctx context.Context, host string) (tenancy.Target, error) {
	if name, err := tenancy.NormalizeHost(host); err == nil && name == "example.com" {
		return tenancy.PublicTarget(), nil
	}
	t, err := p.Registry.ByHost(ctx, host)
	if errors.Is(err, tenancy.ErrNotFound) {
		return tenancy.Target{}, tenancy.ErrUnknownHost
	}
	return tenancy.TenantTarget(&t), err
}

func (p *platform) addSchool(ctx context.Context, slug string, students ...string) {
	t, err := p.Tenants.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	orPanic(err)
	_, err = p.DB.Exec(tenancy.NewContext(ctx, &t), "insert into students select unnest($1::text[])", students)
	orPanic(err)
}

// Students serves the names of the students of the tenant that asks.
func (p *platform) Students(w http.ResponseWriter, r *http.Request) {
	var names string
	err := p.DB.QueryRow(r.Context(), "select string_agg(name, ', ' order by name) from students").Scan(&names)
	if err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, names)
}

// setStatus stands for what the platform's people do.
func (p *platform) setStatus(slug string, status tenancy.Status, reason string) {
	_, err := p.Owner.Exec(context.Background(), "update tenants set status = $2, reason = $3 where slug = $1", slug, status, reason)
	orPanic(err)
}

// ask prints what h answers to a GET of url, with headers in pairs.
func ask(h http.Handler, url string, headers ...string) {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
