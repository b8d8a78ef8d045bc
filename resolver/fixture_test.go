package resolver_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// fixture is a database with a registry and no tenants.
type fixture struct {
	pg    *pgtest.DB
	roles schemactx.RoleNames
	owner *pgxpool.Pool
}

func setup(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), f.pg.Pool,
		admin.SetupConfig{Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r"})
	require.NoError(t, err)
	f.owner = f.pool(t, f.pg.URLAs(f.roles.Owner(), "o"), nil)
	runner, err := migrate.New(
		f.owner,
		migrate.Config{Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}},
	)
	require.NoError(t, err)
	tenants, err := tenancy.New(f.owner, tenancy.Config{Migrator: runner, Roles: f.roles})
	require.NoError(t, err)
	require.NoError(t, tenants.Init(t.Context()))
	return f
}

func (f *fixture) pool(t testing.TB, url string, tracer pgx.QueryTracer) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// db returns a handle of the runtime login on its own pool, as another process would have.
func (f *fixture) db(t testing.TB, tracer pgx.QueryTracer) *schemactx.DB {
	t.Helper()
	return f.dbAt(t, f.pg.URLAs(f.roles.Runtime(), "r"), tracer)
}

func (f *fixture) dbAt(t testing.TB, url string, tracer pgx.QueryTracer) *schemactx.DB {
	t.Helper()
	db, err := schemactx.New(f.pool(t, url, tracer), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	return db
}

// directory opens a directory on its own pool. By default it learns of changes only from
// notifications: it neither reconciles nor looks up unknown hosts, unless cfg says so.
func (f *fixture) directory(t testing.TB, cfg resolver.Config) *resolver.Directory {
	t.Helper()
	return open(t, f.db(t, nil), cfg)
}

func open(t testing.TB, db resolver.Database, cfg resolver.Config) *resolver.Directory {
	t.Helper()
	if cfg.Reconcile == 0 {
		cfg.Reconcile = time.Hour
	}
	if cfg.MissBurst == 0 {
		cfg.MissBurst = -1
	}
	d, err := resolver.NewDirectory(t.Context(), db, cfg)
	require.NoError(t, err)
	t.Cleanup(d.Close)
	return d
}

// tenant inserts a tenant with its hosts, the first of them primary, without a schema.
func (f *fixture) tenant(t testing.TB, slug string, hosts ...string) (id int64) {
	t.Helper()
	require.NoError(
		t,
		f.owner.QueryRow(t.Context(),
			`with s as (insert into schema_names (name, tenant_id) values ('s_' || replace($1, '-', '_'), 0)
			returning name),
		t as (insert into tenants (schema_name, slug, name, status) select name, $1, $1, 'active' from s returning id),
		d as (insert into domains (tenant_id, host, is_primary, verified_at)
			select id, host, n = 1, now() from t, unnest($2::text[]) with ordinality as h (host, n))
		select id from t`, slug, hosts).
			Scan(&id),
	)
	return id
}

func (f *fixture) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	_, err := f.owner.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// eventually waits until done returns true, for at most a minute.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(time.Millisecond); !done(); {
		select {
		case <-tick.C:
		case <-deadline:
			require.Fail(t, "timeout", "not reached: %s", what)
		}
	}
}

// slugOf returns the slug of the tenant of the host, "public", or "" if the host is unknown.
func slugOf(t testing.TB, d tenanthttp.Resolver, host string) string {
	t.Helper()
	target, err := d.Resolve(t.Context(), host)
	if errors.Is(err, tenancy.ErrUnknownHost) && target == (tenanthttp.Target{}) {
		return ""
	}
	if !assert.NoError(t, err, host) {
		return "error"
	}
	if target.Public() {
		return "public"
	}
	return target.Tenant().Slug
}

func expectHosts(t *testing.T, d tenanthttp.Resolver, want map[string]string) {
	t.Helper()
	for host, slug := range want {
		got := slugOf(t, d, host)
		assert.Equal(t, slug, got, "%q resolves to %q, want %q", host, got, slug)
	}
}

func expectError(t *testing.T, d tenanthttp.Resolver, want error, hosts ...string) {
	t.Helper()
	for _, host := range hosts {
		target, err := d.Resolve(t.Context(), host)
		assert.ErrorIs(t, err, want, "%.80q: %+v", host, target)
		assert.True(t, target == (tenanthttp.Target{}), "%.80q: %+v, %v; want %v", host, target, err, want)
	}
}

// counter is a tracer that counts statements.
type counter struct{ n atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// lockedBuffer is a buffer for the logs of several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
