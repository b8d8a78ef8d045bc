package metrics_test

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// fixture is a platform in which every part reports to the metrics.
type fixture struct {
	m       *metrics.Metrics
	reg     *prometheus.Registry
	roles   schemactx.RoleNames
	owner   *pgxpool.Pool
	runtime *pgxpool.Pool
	runner  *migrate.Runner
	tenants *tenancy.Manager
	db      *schemactx.DB
}

var tenantFiles = fstest.MapFS{"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")}}

func setup(t testing.TB, cfg metrics.Config, scopes schemactx.Config) *fixture {
	t.Helper()
	f, pg := &fixture{m: newMetrics(t, cfg)}, pgtest.New(t)
	var err error
	f.roles, err = schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(
		t.Context(),
		pg.Pool,
		admin.SetupConfig{Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r"},
	)
	require.NoError(t, err)
	f.owner, f.runtime = openPool(t, pg.URLAs(f.roles.Owner(), "o")), openPool(t, pg.URLAs(f.roles.Runtime(), "r"))
	f.runner = f.migrations(t, tenantFiles)
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{
		Migrator: f.runner, Roles: f.roles, Hooks: f.m.Lifecycle(tenancy.Hooks{}),
		Drop: tenancy.DropConfig{Enabled: true, Notify: f.m.Drops(nil)},
	})
	require.NoError(t, err)
	require.NoError(t, f.tenants.Init(t.Context()))
	scopes.Roles, scopes.Hooks = f.roles, f.m.Hooks(scopes.Hooks)
	f.db, err = schemactx.New(f.runtime, scopes)
	require.NoError(t, err)
	f.reg = prometheus.NewPedanticRegistry()
	require.NoError(t, f.reg.Register(f.m))
	return f
}

func (f *fixture) migrations(t testing.TB, tenant fs.FS) *migrate.Runner {
	t.Helper()
	runner, err := migrate.New(f.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "test", FS: tenant}},
	})
	require.NoError(t, err)
	return runner
}

func (f *fixture) create(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	tenant, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	require.NoError(t, err)
	return tenant
}

func (f *fixture) fleet(ctx context.Context) iter.Seq2[migrate.SchemaState, error] {
	return f.runner.Fleet(ctx, f.tenants.Schemas)
}

func newMetrics(t testing.TB, cfg metrics.Config) *metrics.Metrics {
	t.Helper()
	m, err := metrics.New(cfg)
	require.NoError(t, err)
	return m
}

// openPool opens a pool that is closed after the test.
func openPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// scrape returns the values of a scrape by series, in the notation of Prometheus. A histogram has
// the series _count and _sum.
func scrape(t testing.TB, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	all := make(map[string]float64)
	for _, f := range families {
		for _, s := range f.GetMetric() {
			var labels []string
			for _, l := range s.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name, suffix := f.GetName(), ""
			if len(labels) > 0 {
				suffix = "{" + strings.Join(labels, ",") + "}"
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				all[name+suffix] = s.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				all[name+suffix] = s.GetGauge().GetValue()
			case dto.MetricType_HISTOGRAM:
				all[name+"_count"+suffix] = float64(s.GetHistogram().GetSampleCount())
				all[name+"_sum"+suffix] = s.GetHistogram().GetSampleSum()
			default:
				require.Fail(t, "unknown type", "%s has type %v", name, f.GetType())
			}
		}
	}
	return all
}

// expect compares series with their expected values. The value absent means that there must be no
// such series.
func expect(t testing.TB, got, want map[string]float64) {
	t.Helper()
	for _, series := range slices.Sorted(maps.Keys(want)) {
		value, ok := got[series]
		want := want[series]
		assert.True(t, (want != absent || !ok) && (want == absent || ok && value == want),
			"%s is %v (shown: %t), want %v", series, value, ok, want)
	}
}

const absent = -1e9

// madeUp is a registry without a database, with tenants that have the given schemas.
type madeUp []string

func (names madeUp) All(context.Context, tenancy.Filter) iter.Seq2[tenancy.Tenant, error] {
	return func(yield func(tenancy.Tenant, error) bool) {
		for i, name := range names {
			if !yield(tenancy.Tenant{ID: int64(i), Schema: name, Slug: "slug-" + name, Status: tenancy.Active}, nil) {
				return
			}
		}
	}
}

func backupsOf(names []string) metrics.Backups {
	last := make(map[string]time.Time, len(names))
	for i, name := range names {
		last[name] = time.Unix(int64(1_000_000+i), 0)
	}
	return metrics.BackupsFunc(func(context.Context) (map[string]time.Time, error) { return last, nil })
}

func expectField(t *testing.T, err error, field string) {
	t.Helper()
	var fieldErr *tenancy.FieldError
	if assert.ErrorAs(t, err, &fieldErr, field) {
		assert.Equal(t, field, fieldErr.Field)
	}
}
