package metrics_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/metrics"
	"github.com/oryne/pgtenant/tenancy/quarantine"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

func TestQuarantineMetrics(t *testing.T) {
	t.Parallel()
	f := setup(t, metrics.Config{}, schemactx.Config{})
	a := f.create(t, "acme")
	f.create(t, "bolt")
	files := fstest.MapFS{
		"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes  (body text);\n")}, // edited
		"00002_more.sql":  {Data: []byte("-- +goose Up\ncreate table more (id int);\n")},
	}
	runner := f.migrations(t, files)
	require.NoError(t, runner.Migrate(t.Context(), a.Schema))
	q, err := quarantine.New(t.Context(), quarantine.Config{Runner: runner, Schemas: f.tenants.Schemas})
	require.NoError(t, err)
	require.NoError(t, f.m.Watch(metrics.Sources{
		Migrations: func(ctx context.Context) iter.Seq2[migrate.SchemaState, error] {
			return runner.Fleet(ctx, f.tenants.Schemas)
		},
		Quarantine: func() metrics.QuarantineStatus { return metrics.QuarantineStatus(q.Status()) },
	}))
	require.NoError(t, f.m.Refresh(t.Context()))
	served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	site := tenanthttp.Handler(tenanthttp.ResolverFunc(func(ctx context.Context, host string) (tenanthttp.Target, error) {
		tenant, err := f.tenants.BySlug(ctx, host[:4])
		return tenanthttp.TenantTarget(&tenant), err
	}), f.m.Routes(tenanthttp.Routes{Tenant: served, Admit: q.Admit}))
	for _, slug := range []string{"acme", "bolt", "bolt"} {
		site.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://"+slug+".example.com/", nil))
	}
	got := scrape(t, f.reg)
	expect(t, got, map[string]float64{
		`pgtenant_quarantined_tenants{reason="behind"}`:         1,
		`pgtenant_quarantined_tenants{reason="failed"}`:         0,
		`pgtenant_quarantined_tenants{reason="newer"}`:          0,
		`pgtenant_migration_schemas{state="behind"}`:            1,
		`pgtenant_migration_schemas{state="newer_compatible"}`:  0,
		`pgtenant_migration_edited_schemas`:                     2,
		`pgtenant_refused_requests_total{reason="quarantined"}`: 2,
	})
	at := got["pgtenant_quarantine_survey_timestamp_seconds"]
	assert.LessOrEqual(t, time.Since(time.Unix(int64(at), 0)), time.Hour, "surveyed at %v", at)
	require.NoError(t, q.Status().Err)
}
