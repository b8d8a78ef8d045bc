package guidetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// This file has the code of tenancy/EXISTING.md, in its order.

func setUp(
	ctx context.Context, administrator *pgxpool.Pool, passwords admin.SetupConfig, tenants *tenancy.Manager,
) error {
	report, err := admin.Setup(ctx, administrator, passwords)
	if err != nil {
		return err
	}
	return errors.Join(report.Err(), tenants.Init(ctx))
}

// server is the new program.
type server struct{ db *schemactx.DB }

// tasks lists the tasks of the tenant whose host the request has.
func (s *server) tasks(w http.ResponseWriter, r *http.Request) {
	rows, _ := s.db.Query(r.Context(), "select title from tasks order by id")
	titles, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		problem, _ := tenanthttp.UnavailableProblem(r, err)
		problem.Respond(w)
		return
	}
	_ = json.NewEncoder(w).Encode(titles)
}

func (s *server) addTask(w http.ResponseWriter, r *http.Request) {
	_, err := s.db.Exec(r.Context(), "insert into tasks (project_id, title) values ($1, $2)",
		r.FormValue("project"), r.FormValue("title"))
	if err != nil {
		problem, _ := tenanthttp.UnavailableProblem(r, err)
		problem.Respond(w)
	}
}

func (s *server) handler(hosts tenanthttp.Resolver, old *url.URL) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /tasks", s.tasks)
	mux.HandleFunc("POST /tasks", s.addTask)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(old)
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}}
	return tenanthttp.Handler(hosts, tenanthttp.Routes{
		Tenant: mux,
		Refuse: func(w http.ResponseWriter, r *http.Request, refusal tenanthttp.Refusal) {
			var inactive *tenancy.InactiveError
			suspended := errors.As(refusal.Err, &inactive) && inactive.Status == tenancy.Suspended
			if !suspended && !errors.Is(refusal.Err, tenancy.ErrUnknownHost) {
				refusal.Problem.Respond(w)
				return
			}
			w.Header().Del("Cache-Control") // the old program sets its own
			proxy.ServeHTTP(w, r)
		},
	})
}

// report is half converted.
type report struct {
	db   *schemactx.DB
	pool *pgxpool.Pool
}

func (r *report) count(ctx context.Context) (n int, err error) {
	err = r.pool.QueryRow(ctx, "select count(*) from tasks where customer_id = 7").Scan(&n)
	return n, err
}

// mover moves customers, as the owner.
type mover struct {
	owner   *pgxpool.Pool
	runner  *migrate.Runner
	tenants *tenancy.Manager
}

func openMover(owner *pgxpool.Pool, migrations fs.FS) (*mover, error) {
	runner, err := migrate.New(owner, migrate.Config{
		Shared:       []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		SharedSchema: "registry",
		Tenant:       []migrate.Source{{Name: "app", FS: migrations}},
	})
	if err != nil {
		return nil, err
	}
	tenants, err := tenancy.New(owner, tenancy.Config{Migrator: runner})
	return &mover{owner, runner, tenants}, err
}

var copyIn = []string{
	"insert into projects (id, name) select id, name from public.projects where customer_id = $1",
	`insert into tasks (id, project_id, title)
		select id, project_id, title from public.tasks where customer_id = $1`,
	"select setval(pg_get_serial_sequence('projects', 'id'), $1::bigint * 1000000000)",
	"select setval(pg_get_serial_sequence('tasks', 'id'), $1::bigint * 1000000000)",
}

func (m *mover) move(ctx context.Context, customer int64) (tenancy.Tenant, error) {
	var p tenancy.AdoptParams
	err := m.owner.QueryRow(ctx, `update public.customers set moved_at = coalesce(moved_at, now())
		where id = $1 returning slug, name, host`, customer).Scan(&p.Slug, &p.Name, &p.Domain)
	if err != nil {
		return tenancy.Tenant{}, err
	}
	staging, err := m.tenants.StageTenant(ctx, p)
	if err != nil {
		return tenancy.Tenant{}, err
	}
	defer staging.Close(ctx) // drops the schema if it has not become a tenant
	if _, err := m.runner.Up(ctx, staging.Schema()); err != nil {
		return tenancy.Tenant{}, err
	}
	if err := m.run(ctx, staging.Schema(), customer, copyIn); err != nil {
		return tenancy.Tenant{}, err
	}
	return staging.Adopt(ctx)
}

// run runs statements on the tables of a schema, in one transaction.
func (m *mover) run(ctx context.Context, schema string, customer int64, statements []string) error {
	return pgx.BeginFunc(ctx, m.owner, func(tx pgx.Tx) error {
		//tenantvet:allow tenantsql the owner copies the rows of one customer
		if _, err := tx.Exec(ctx, "select set_config('search_path', $1, true)", schema); err != nil {
			return err
		}
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql, customer); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
}

var copyOut = []string{
	"update public.customers set moved_at = null where id = $1",
	"delete from public.tasks where customer_id = $1",
	"delete from public.projects where customer_id = $1",
	"insert into public.projects (id, customer_id, name) select id, $1::bigint, name from projects",
	`insert into public.tasks (id, customer_id, project_id, title)
		select id, $1::bigint, project_id, title from tasks`,
}

func (m *mover) back(ctx context.Context, slug string, customer int64) error {
	t, err := m.tenants.Suspend(ctx, slug, "is served by the old program")
	if err != nil {
		return err
	}
	roles := schemactx.DefaultRoleNames(m.owner.Config().ConnConfig.Database)
	if _, err := admin.RevokeAccess(ctx, m.owner, roles, t.Schema); err != nil {
		return err
	}
	return m.run(ctx, t.Schema, customer, copyOut)
}
