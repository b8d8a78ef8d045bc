package platform

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Platform has two schools: schoola.localhost and schoolb.localhost. The public site is localhost.
type Platform struct {
	roles          schemactx.RoleNames
	hosts          *resolver.Directory
	db             *schemactx.DB
	owner, runtime *pgxpool.Pool
}

// Open creates the schools in an empty database. adminURL is the URL of its administrator. The zero
// roles take their names from the name of the database.
func Open(ctx context.Context, adminURL string, roles schemactx.RoleNames) (_ *Platform, err error) {
	p := &Platform{roles: roles}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if err := p.connect(ctx, adminURL); err != nil {
		return nil, err
	}
	if err := p.createSchools(ctx); err != nil {
		return nil, err
	}
	p.hosts, err = resolver.NewDirectory(ctx, p.db, resolver.Config{PublicHosts: []string{"localhost"}})
	return p, err
}

// Close closes the connections.
func (p *Platform) Close() {
	if p.hosts != nil {
		p.hosts.Close()
	}
	for _, pool := range []*pgxpool.Pool{p.runtime, p.owner} {
		if pool != nil {
			pool.Close()
		}
	}
}

// Handler adds the resolution of the tenant in front of the router of any framework. The router
// serves both sites.
func (p *Platform) Handler(router http.Handler) http.Handler {
	return tenanthttp.Handler(p.hosts, tenanthttp.Routes{Public: router, Tenant: router})
}

// Student is a student of a school.
type Student struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Student returns the student with the id in the school of ctx, or [pgx.ErrNoRows]. It takes the
// school only from ctx, so the framework must pass on the request's context.
func (p *Platform) Student(ctx context.Context, id int64) (Student, error) {
	rows, err := p.db.Query(ctx, "select id, name from students where id = $1", id)
	if err != nil {
		return Student{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Student])
}

// Problem returns the answer to r for an error of Student: 404, 503 with Retry-After if the
// database is unavailable, or else 500.
func Problem(r *http.Request, err error) tenanthttp.Problem {
	if errors.Is(err, pgx.ErrNoRows) {
		return tenanthttp.Problem{Status: http.StatusNotFound, Detail: "There is no such student."}
	}
	problem, _ := tenanthttp.UnavailableProblem(r, err)
	return problem
}

// connect creates the two logins and opens a pool for each.
func (p *Platform) connect(ctx context.Context, adminURL string) error {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	cfg := admin.SetupConfig{Roles: p.roles, OwnerPassword: rand.Text(), RuntimePassword: rand.Text()}
	report, err := admin.Setup(ctx, conn, cfg)
	if err != nil {
		return err
	}
	p.roles = report.Roles
	if p.owner, err = openAs(ctx, adminURL, p.roles.Owner(), cfg.OwnerPassword); err != nil {
		return err
	}
	if p.runtime, err = openAs(ctx, adminURL, p.roles.Runtime(), cfg.RuntimePassword); err != nil {
		return err
	}
	p.db, err = schemactx.New(p.runtime, schemactx.Config{Roles: p.roles})
	return err
}

func openAs(ctx context.Context, databaseURL, user, password string) (*pgxpool.Pool, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return nil, err
	}
	u.User = url.UserPassword(user, password)
	return pgxpool.New(ctx, u.String())
}

//go:embed migrations/*.sql
var files embed.FS

// createSchools creates both schools with one student each. Both students have the ID 1.
func (p *Platform) createSchools(ctx context.Context) error {
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return err
	}
	runner, err := migrate.New(p.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "school", FS: migrations}},
	})
	if err != nil {
		return err
	}
	tenants, err := tenancy.New(p.owner, tenancy.Config{Migrator: runner, Roles: p.roles})
	if err != nil {
		return err
	}
	if err := tenants.Init(ctx); err != nil {
		return err
	}
	for slug, student := range map[string]string{"schoola": "Amara", "schoolb": "Mateo"} {
		t, err := tenants.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: slug + ".localhost"})
		if err != nil {
			return err
		}
		//tenantvet:allow tenantswitch the first student is there before there are requests
		if _, err := p.db.Exec(tenancy.NewContext(ctx, &t), "insert into students (name) values ($1)", student); err != nil {
			return err
		}
	}
	return nil
}
