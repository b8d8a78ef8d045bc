package ratelimit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// The time of a decision and the memory of a bucket; BENCHMARKS.md has the results:
//
//	go test -run '^$' -bench 'Decide|Middleware|Memory' -benchmem ./tenancy/ratelimit

const benchTenants = 10_000

// benchLimiter limits by plans, as a program does, and allows all requests: an allowed request
// costs more than a refused one.
func benchLimiter(b *testing.B) *ratelimit.Limiter {
	return newLimiter(b, ratelimit.Config{Limits: plans(b, ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{
		"free": {Tenant: ratelimit.PerSecond(1_000_000_000), Caller: ratelimit.PerSecond(1_000_000_000)},
	}})})
}

// queries returns queries of ten callers per tenant, tenant by tenant. They do not fit into a
// processor's cache. All queries of a tenant share one value, as with a resolver.
func queries(caller bool) []ratelimit.Query {
	all := make([]ratelimit.Query, 0, benchTenants*10)
	each := tenants(benchTenants)
	for i := range 10 {
		for _, t := range each {
			q := ratelimit.Query{Tenant: t}
			if caller {
				q.Caller = "user:" + strconv.Itoa(i)
			}
			all = append(all, q)
		}
	}
	return all
}

func BenchmarkDecide(b *testing.B) {
	ctx := context.Background()
	flooded := ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}
	for _, c := range []struct {
		name    string
		queries []ratelimit.Query
	}{
		{"one tenant", []ratelimit.Query{{Tenant: tenant(1)}}},
		{"one tenant and caller", []ratelimit.Query{flooded}},
		{"10000 tenants", queries(false)},
		{"10000 tenants, one caller each", queries(true)[:benchTenants]},
		{"10000 tenants and 100000 callers", queries(true)},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := benchLimiter(b)
			for _, q := range c.queries {
				l.Decide(ctx, q)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				l.Decide(ctx, c.queries[i])
				if i++; i == len(c.queries) {
					i = 0
				}
			}
		})
		b.Run(c.name+", parallel", func(b *testing.B) {
			l := benchLimiter(b)
			for _, q := range c.queries {
				l.Decide(ctx, q)
			}
			var goroutines atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := int(goroutines.Add(1)) * 7919 % len(c.queries); pb.Next(); {
					l.Decide(ctx, c.queries[i])
					if i++; i == len(c.queries) {
						i = 0
					}
				}
			})
		})
	}
	b.Run("refused", func(b *testing.B) {
		l := limiter(b, ratelimit.Policy{Tenant: ratelimit.PerHour(1), Caller: ratelimit.PerHour(1)})
		b.ReportAllocs()
		for b.Loop() {
			l.Decide(ctx, flooded)
		}
	})
}

// discard is a ResponseWriter that discards the response.
type discard struct{ header http.Header }

func (w discard) Header() http.Header         { return w.header }
func (w discard) Write(p []byte) (int, error) { return len(p), nil }
func (w discard) WriteHeader(int)             {}

func BenchmarkMiddleware(b *testing.B) {
	for name, policy := range map[string]ratelimit.Policy{
		"allowed": {Tenant: ratelimit.PerSecond(1_000_000_000), Caller: ratelimit.PerSecond(1_000_000_000)},
		"refused": {Tenant: ratelimit.PerHour(1), Caller: ratelimit.PerHour(1)},
	} {
		b.Run(name, func(b *testing.B) {
			limit, err := ratelimit.Middleware(
				ratelimit.MiddlewareConfig{Limiter: limiter(b, policy), Caller: ratelimit.KeyByIP(nil)},
			)
			require.NoError(b, err)
			h := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r := httptest.NewRequest(http.MethodGet, "http://a.example.com/", nil)
			r = r.WithContext(tenancy.NewContext(b.Context(), tenant(1)))
			w := discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkMemory measures the memory of a caller and of a tenant, including the maps.
func BenchmarkMemory(b *testing.B) {
	ctx := context.Background()
	b.Run("tenant", func(b *testing.B) {
		l, qs := benchLimiter(b), queries(false)[:benchTenants]
		weigh(b, len(qs), func() {
			for _, q := range qs {
				l.Decide(ctx, q)
			}
		})
		runtime.KeepAlive(l)
		runtime.KeepAlive(qs)
	})
	b.Run("caller", func(b *testing.B) {
		l, qs := benchLimiter(b), queries(true)
		for _, q := range queries(false)[:benchTenants] {
			l.Decide(ctx, q)
		}
		weigh(b, len(qs), func() {
			for _, q := range qs {
				l.Decide(ctx, q)
			}
		})
		runtime.KeepAlive(l)
		runtime.KeepAlive(qs)
	})
}

// weigh reports the memory of each of n items that fill creates.
func weigh(b *testing.B, n int, fill func()) {
	b.Helper()
	before := heap()
	fill()
	after := heap()
	for b.Loop() { // nothing to repeat
	}
	b.ReportMetric(float64(after-before)/float64(n), "B/bucket")
	b.ReportMetric(0, "ns/op")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
