package dashboardtest_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics"
	"github.com/oryne/pgtenant/tenancy/quarantine"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// program is a user's program: two schools, served over HTTP, and a page for Prometheus.
type program struct {
	m       *metrics.Metrics
	reg     *prometheus.Registry
	tenants *tenancy.Manager
	runner  *migrate.Runner
	db      *schemactx.DB
	site    http.Handler
}

func start(t *testing.T) *program {
	t.Helper()
	pg, p := pgtest.New(t), &program{reg: prometheus.NewPedanticRegistry()}
	var err error
	p.m, err = metrics.New(metrics.Config{})
	require.NoError(t, err)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), pg.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	require.NoError(t, err)
	owner, runtime := open(t, pg.URLAs(roles.Owner(), "o")), open(t, pg.URLAs(roles.Runtime(), "r"))
	p.runner, err = migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "school", FS: fstest.MapFS{
			"00001_students.sql": {Data: []byte("-- +goose Up\ncreate table students (name text);\n")},
		}}},
	})
	require.NoError(t, err)
	p.tenants, err = tenancy.New(owner, tenancy.Config{
		Migrator: p.runner, Roles: roles, Hooks: p.m.Lifecycle(tenancy.Hooks{}),
		Drop: tenancy.DropConfig{Enabled: true, Notify: p.m.Drops(nil)},
	})
	require.NoError(t, err)
	require.NoError(t, p.tenants.Init(t.Context()))
	p.db, err = schemactx.New(runtime, schemactx.Config{Roles: roles, Hooks: p.m.Hooks(schemactx.Hooks{})})
	require.NoError(t, err)
	for _, slug := range []string{"schoola", "schoolb"} {
		_, err := p.tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
		require.NoError(t, err)
	}
	hosts, err := resolver.NewDirectory(t.Context(), p.db, resolver.Config{PublicHosts: []string{"example.com"}})
	require.NoError(t, err)
	t.Cleanup(hosts.Close)
	q, err := quarantine.New(t.Context(), quarantine.Config{Runner: p.runner, Schemas: p.tenants.Schemas})
	require.NoError(t, err)
	require.NoError(t, p.m.Watch(metrics.Sources{
		DBs: []metrics.DB{p.db}, Tenants: p.tenants, Storage: runtime,
		Migrations: func(ctx context.Context) iter.Seq2[migrate.SchemaState, error] {
			return p.runner.Fleet(ctx, p.tenants.Schemas)
		},
		Backups:    metrics.BackupsFunc(p.backups),
		Directory:  func() metrics.DirectoryStatus { return metrics.DirectoryStatus(hosts.Status()) },
		Quarantine: func() metrics.QuarantineStatus { return metrics.QuarantineStatus(q.Status()) },
	}))
	p.background(t, p.m.Run)
	p.background(t, q.Run)
	require.NoError(t, p.reg.Register(p.m))
	p.site = tenanthttp.Handler(
		hosts,
		p.m.Routes(tenanthttp.Routes{Admit: q.Admit, Tenant: http.HandlerFunc(p.students), Public: http.NotFoundHandler()}),
	)
	return p
}

// backups reports a backup of one hour ago for one of the tenants.
func (p *program) backups(ctx context.Context) (map[string]time.Time, error) {
	t, err := p.tenants.BySlug(ctx, "schoola")
	return map[string]time.Time{t.Schema: time.Now().Add(-time.Hour)}, err
}

// students is a handler that also causes every kind of failure.
func (p *program) students(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	_, err := p.db.Exec(ctx, "insert into students values ('Amara')")
	p.m.RateLimited(ctx, metrics.Allowed)
	p.m.RateLimited(ctx, metrics.Limited)
	p.m.LoginFailed(ctx)
	_, _ = p.db.Exec(ctx, "select * from public.platform_users") // not the tenant's table
	_, _ = p.db.Exec(ctx, "set role none")
	_ = schemactx.WithPublic(ctx, func(ctx context.Context) error {
		_, err := p.db.Exec(ctx, "select 1/0")
		return err
	})
	if err != nil || r.URL.Path == "/broken" {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// use sends requests and manages tenants until ctx ends.
func (p *program) use(ctx context.Context) {
	for ctx.Err() == nil {
		for _, url := range []string{
			"http://schoola.example.com/", "http://schoolb.example.com/broken", "http://example.com/",
			"http://unknown.example.com/",
		} {
			p.site.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, url, nil))
		}
		_, _ = p.tenants.RequestDrop(ctx, "schoolb", "ada")
		if _, err := p.tenants.Suspend(ctx, "schoolb", "unpaid"); err == nil {
			_, _ = p.tenants.Activate(ctx, "schoolb")
		}
		if report, err := p.runner.UpAll(ctx, p.tenants.Schemas,
			migrate.UpAllOptions{Events: p.m.Migrating(nil)}); err == nil {
			p.m.Migrated(report)
		}
		select {
		case <-time.After(50 * time.Millisecond): // leave time for other tests that run in parallel
		case <-ctx.Done():
		}
	}
}

// background runs fn until the test ends.
func (p *program) background(t *testing.T, fn func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { fn(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

// page serves the metrics on the loopback interface and returns the address.
func (p *program) page(t *testing.T) string {
	server := httptest.NewServer(
		promhttp.HandlerFor(p.reg, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}),
	)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}
