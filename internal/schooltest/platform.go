package schooltest

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
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Platform is a database with a registry and the tenants schoola and schoolb on hosts of
// example.com. Each has a table students with two rows. The public site is example.com.
type Platform struct {
	Owner    *pgxpool.Pool
	Tenants  *tenancy.Manager
	DB       *schemactx.DB // the runtime login
	Registry *tenancy.Registry
	Hosts    tenanthttp.Resolver
}

// New returns a platform. done closes the pools and drops the database.
func New() (p *Platform, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	Must(err)
	setup, err := admin.Setup(ctx, pg.Pool, admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"})
	Must(err)
	p = &Platform{}
	p.Owner, err = pgxpool.New(ctx, pg.URLAs(setup.Roles.Owner(), "o"))
	Must(err)
	runtime, err := pgxpool.New(ctx, pg.URLAs(setup.Roles.Runtime(), "r"))
	Must(err)
	runner, err := migrate.New(p.Owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "school", FS: fstest.MapFS{
			"00001_students.sql": {Data: []byte("-- +goose Up\ncreate table students (name text not null);\n")},
		}}},
	})
	Must(err)
	p.Tenants, err = tenancy.New(p.Owner, tenancy.Config{Migrator: runner})
	Must(err)
	Must(p.Tenants.Init(ctx))
	p.DB, err = schemactx.New(runtime, schemactx.Config{})
	Must(err)
	p.Registry = tenancy.NewRegistry(p.DB)
	p.addSchool(ctx, "schoola", "Amara", "Bruno")
	p.addSchool(ctx, "schoolb", "Mateo", "Nadia")
	p.Hosts = tenanthttp.ResolverFunc(p.resolve)
	return p, func() {
		runtime.Close()
		p.Owner.Close()
		Must(closeDB())
	}
}

// resolve reads the registry each time, so that an example sees its own changes at once. A program
// uses the directory of package resolver, which sees a change a moment later.
func (p *Platform) resolve(ctx context.Context, host string) (tenanthttp.Target, error) {
	if name, err := tenancy.NormalizeHost(host); err == nil && name == "example.com" {
		return tenanthttp.PublicTarget(), nil
	}
	t, err := p.Registry.ByHost(ctx, host)
	if errors.Is(err, tenancy.ErrNotFound) {
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	}
	return tenanthttp.TenantTarget(&t), err
}

func (p *Platform) addSchool(ctx context.Context, slug string, students ...string) {
	t, err := p.Tenants.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	Must(err)
	//tenantvet:allow tenantswitch the fixture fills the tenant that it has created
	_, err = p.DB.Exec(tenancy.NewContext(ctx, &t), "insert into students select unnest($1::text[])", students)
	Must(err)
}

// Students serves the names of the students of the request's tenant.
func (p *Platform) Students(w http.ResponseWriter, r *http.Request) {
	var names string
	err := p.DB.QueryRow(r.Context(), "select string_agg(name, ', ' order by name) from students").Scan(&names)
	if err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, names)
}

// SetStatus changes a tenant's status as an operator would.
func (p *Platform) SetStatus(slug string, status tenancy.Status, reason string) {
	//tenantvet:allow tenantpool the registry is changed by the owner
	_, err := p.Owner.Exec(context.Background(), "update tenants set status = $2, reason = $3 where slug = $1", slug,
		status, reason)
	Must(err)
}

// Ask sends a GET of url to h and prints the answer. headers are names, each followed by its value.
func Ask(h http.Handler, url string, headers ...string) {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

// Must panics if err is not nil.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}
