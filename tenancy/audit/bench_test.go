package audit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// nowhere is a ResponseWriter that discards the response.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header         { return w.header }
func (w nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w nowhere) WriteHeader(int)             {}

func benchRequest(id string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://a.example.com/api/students/42?secret=1", nil)
	r.RemoteAddr = "192.0.2.1:1234"
	if id != "" {
		r.Header.Set("X-Request-Id", id)
	}
	return r.WithContext(tenancy.NewContext(r.Context(), &tenancy.Tenant{ID: 1, Slug: "a", Schema: "tenant_1"}))
}

// BenchmarkMiddleware measures what a request waits for: putting the entry into the queue. The
// writer writes to a real database after every 10,000 requests, while the timer is stopped.
// BenchmarkRows measures both together.
func BenchmarkMiddleware(b *testing.B) {
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, c := range []struct {
		name, id string
		cfg      audit.MiddlewareConfig
	}{
		{"all", "req-1234", audit.MiddlewareConfig{}},
		{"all, new request id", "", audit.MiddlewareConfig{}},
		{"required", "req-1234", audit.MiddlewareConfig{Required: audit.All}},
		{"sampled, 1 of 100", "req-1234", audit.MiddlewareConfig{Policy: audit.Sample(100)}},
		{"failures", "req-1234", audit.MiddlewareConfig{Policy: audit.Failures}},
	} {
		b.Run(c.name, func(b *testing.B) {
			const pause = 10_000
			f := setup(b)
			l := f.open(b, audit.Config{QueueSize: 2 * pause, BatchSize: 2 * pause, Linger: time.Hour})
			h := l.Middleware(next, c.cfg)
			r, w := benchRequest(c.id), nowhere{http.Header{}}
			b.ReportAllocs()
			for n := 1; b.Loop(); n++ {
				h.ServeHTTP(w, r)
				if n%pause == 0 {
					b.StopTimer()
					require.NoError(b, l.Flush(context.Background()))
					b.StartTimer()
				}
			}
			s := l.Status()
			assert.LessOrEqual(b, s.Dropped, int64(0), "%d are dropped", s.Dropped)
		})
	}
	b.Run("without", func(b *testing.B) {
		r, w := benchRequest("req-1234"), nowhere{http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			next.ServeHTTP(w, r)
		}
	})
}

// BenchmarkRows measures a log from end to end: entries are recorded, chained, copied and
// committed.
func BenchmarkRows(b *testing.B) {
	for _, tenants := range []int{1, 1000} {
		for _, key := range []string{"", "key"} {
			b.Run(fmt.Sprintf("tenants=%d%s", tenants, key), func(b *testing.B) {
				f := setup(b)
				_, err := f.maintainer.Maintain(b.Context())
				require.NoError(b, err)
				cfg := audit.Config{}
				if key != "" {
					cfg.Key = make([]byte, 32)
				}
				l := f.open(b, cfg)
				h := l.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}), audit.MiddlewareConfig{})
				requests := make([]*http.Request, tenants)
				for i := range requests {
					r := benchRequest("req-1234")
					requests[i] = r.WithContext(tenancy.NewContext(context.Background(), &tenancy.Tenant{
						ID: int64(i + 1), Slug: fmt.Sprintf("slug-%d", i), Schema: fmt.Sprintf("tenant_%d", i+1),
					}))
				}
				w := nowhere{http.Header{}}
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					h.ServeHTTP(w, requests[n%tenants])
					n++
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				require.NoError(b, l.Flush(ctx))
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
				b.StopTimer()
				got := f.count(b, "action = 'schema_access'")
				assert.Equal(b, n, got, "%d rows of %d", got, n)
			})
		}
	}
}
