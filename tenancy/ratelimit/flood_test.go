package ratelimit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// A tenant floods, and its requests wait in the database for a lock on its table. With both limits
// the quiet tenant is served; without them it is not. The latency under a flood is measured by a
// benchmark.
func TestAFloodOfOneTenantDoesNotReachAnother(t *testing.T) {
	t.Parallel()
	const flood, allowedOfIt = 300, 10
	for name, limited := range map[string]bool{"with limits": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, done := newPlatform(pgtest.New(t))
			t.Cleanup(done)
			policy, limits := ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()}, schemactx.Limits{}
			if limited {
				policy, limits = ratelimit.Policy{Tenant: ratelimit.PerHour(allowedOfIt)}, schemactx.Limits{MaxConns: 1}
			}
			db := p.db(2, schemactx.Config{Limits: func(string) schemactx.Limits { return limits }})
			limit, err := ratelimit.Middleware(ratelimit.MiddlewareConfig{Limiter: limiter(t, policy)})
			require.NoError(t, err)
			var inside atomic.Int64
			app := report(db)
			h := tenanthttp.Handler(
				p.hosts,
				tenanthttp.Routes{Tenant: limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					inside.Add(1)
					app.ServeHTTP(w, r)
				}))},
			)

			tx, err := p.pg.Pool.Begin(t.Context())
			require.NoError(t, err)
			quoted, err := schemactx.QuoteName(p.flooding)
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), "lock table "+quoted+".students in access exclusive mode")
			require.NoError(t, err)
			var codes [600]atomic.Int64
			var wg sync.WaitGroup
			for range flood {
				wg.Go(func() { codes[serve(context.Background(), h, "schoola")].Add(1) })
			}
			stuck := int64(flood)
			if limited {
				stuck = allowedOfIt
			}
			waitFor(
				t,
				"the flood is served or refused",
				func() bool { return inside.Load() == stuck && codes[http.StatusTooManyRequests].Load() == flood-stuck },
			)
			waitFor(t, "the flood's connections", func() bool { // all connections that it can get
				return int(p.pools[0].Stat().AcquiredConns()) == map[bool]int{true: 1, false: 2}[limited]
			})

			if limited {
				for range allowedOfIt {
					assert.Equal(t, http.StatusOK, serve(t.Context(), h, "schoolb"), "the tenant with few requests")
				}
			} else {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				assert.Equal(t, http.StatusGatewayTimeout, serve(ctx, h, "schoolb"), "the tenant with few requests")
				cancel()
			}
			require.NoError(t, tx.Rollback(t.Context()))
			wg.Wait()
			assert.Equal(t, stuck, codes[http.StatusOK].Load(), "the requests of the flood at the end")
		})
	}
}

// serve sends a request to a tenant's host and returns the status.
func serve(ctx context.Context, h http.Handler, slug string) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+slug+".example.com/report", nil).WithContext(ctx))
	return w.Code
}

// waitFor waits until so returns true, for at most a minute.
func waitFor(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(time.Millisecond) {
		require.False(t, time.Now().After(deadline), "waited for a minute: %s", what)
	}
}
