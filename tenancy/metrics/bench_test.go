package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// busy returns metrics with different counts for n tenants, and the names of the tenants.
func busy(b *testing.B, n int) (*metrics.Metrics, []string) {
	b.Helper()
	m := newMetrics(b, metrics.Config{})
	hooks := m.Hooks(schemactx.Hooks{})
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	ctx := b.Context()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("tenant_%d", i+1)
		for range 1 + i%7 {
			unit(ctx, hooks, names[i])
		}
		hooks.StatementFailure(ctx, schemactx.StatementFailure{Schema: names[i], Err: &pgconn.PgError{Code: "23505"}})
		h.ServeHTTP(
			httptest.NewRecorder(),
			httptest.NewRequestWithContext(schemactx.NewContext(ctx, names[i]), http.MethodGet, "/", nil),
		)
	}
	return m, names
}

// unit calls the hooks of a statement without a transaction.
func unit(ctx context.Context, hooks schemactx.Hooks, schema string) {
	hooks.ScopeStart(ctx, schemactx.ScopeStart{Schema: schema, PID: 1, Waited: 1000})
	hooks.StatementEnd(ctx, schemactx.StatementEnd{Schema: schema, Statements: 1})
	hooks.ScopeEnd(ctx, schemactx.ScopeEnd{Schema: schema, PID: 1})
}

// shuffled returns copies of the names in random order, stored one after the other. A program has
// the name of its tenant in memory; the benchmark measures the lookup of its counters.
func shuffled(names []string) []string {
	mixed := make([]string, len(names))
	for i, j := range rand.New(rand.NewPCG(1, 2)).Perm(len(names)) {
		mixed[i] = strings.Clone(names[j])
	}
	return mixed
}

// BenchmarkHooks calls all hooks of one statement on all processors, for each tenant in turn.
func BenchmarkHooks(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("tenants=%d", n), func(b *testing.B) {
			m, names := busy(b, n)
			hooks, names := m.Hooks(schemactx.Hooks{}), shuffled(names)
			ctx := b.Context()
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(n); pb.Next(); i++ {
					unit(ctx, hooks, names[i%n])
				}
			})
		})
	}
}

func BenchmarkFailedHook(b *testing.B) {
	m, names := busy(b, 10_000)
	hooks := m.Hooks(schemactx.Hooks{})
	err := fmt.Errorf("query: %w", &pgconn.PgError{Code: "42501"})
	ctx := b.Context()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			hooks.StatementFailure(ctx, schemactx.StatementFailure{Schema: names[i%len(names)], Err: err})
		}
	})
}

// BenchmarkHandler measures the cost of the middleware in a request.
func BenchmarkHandler(b *testing.B) {
	m, names := busy(b, 10_000)
	plain := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	for _, way := range []struct {
		name string
		h    http.Handler
	}{{"without", plain}, {"with", m.Handler(plain)}} {
		h := way.h
		b.Run(way.name, func(b *testing.B) {
			requests := make([]*http.Request, len(names))
			for i, name := range names {
				requests[i] = httptest.NewRequestWithContext(schemactx.NewContext(b.Context(), name), http.MethodGet, "/", nil)
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					h.ServeHTTP(discard{}, requests[i%len(requests)])
				}
			})
		})
	}
}

// discard is a ResponseWriter that discards the response.
type discard struct{}

func (discard) Header() http.Header         { return nil }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// BenchmarkScrape measures a whole scrape up to its text. Every tenant has been active since the
// previous scrape.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("tenants=%d", n), func(b *testing.B) {
			m, names := busy(b, n)
			require.NoError(b, m.Watch(metrics.Sources{Tenants: madeUp(names), Backups: backupsOf(names)}))
			require.NoError(b, m.Refresh(b.Context()))
			reg := prometheus.NewRegistry()
			require.NoError(b, reg.Register(m))
			h := promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.PanicOnError})
			hooks := m.Hooks(schemactx.Hooks{})
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for _, name := range names {
					unit(b.Context(), hooks, name)
				}
				b.StartTimer()
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
				size = rec.Body.Len()
			}
			b.ReportMetric(float64(size)/1000, "kB/scrape")
		})
	}
}

// BenchmarkReason measures how long it takes to find the reason of a refusal.
func BenchmarkReason(b *testing.B) {
	m := newMetrics(b, metrics.Config{})
	routes := m.Routes(tenanthttp.Routes{Refuse: func(http.ResponseWriter, *http.Request, tenanthttp.Refusal) {}})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	refusal := tenanthttp.Refusal{
		Err:     errors.Join(tenancy.ErrUnknownHost),
		Problem: tenanthttp.Problem{Status: http.StatusNotFound},
	}
	b.ReportAllocs()
	for b.Loop() {
		routes.Refuse(discard{}, r, refusal)
	}
}
