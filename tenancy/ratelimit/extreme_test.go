package ratelimit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// If the time until a bucket is full exceeds a Duration, it does not overflow to a negative value.
func TestNoWaitIsNegative(t *testing.T) {
	t.Parallel()
	l := ratelimit.Limit{Requests: 1, Per: ratelimit.MaxPer, Burst: ratelimit.MaxRequests}
	assert.Positive(t, l.Refill(), "a bucket is full after %v", l.Refill())
	limits := limiter(t, ratelimit.Policy{Tenant: l})
	q := ratelimit.Query{Tenant: tenant(1), Cost: ratelimit.MaxRequests}
	assert.Equal(t, ratelimit.Allowed, limits.Decide(context.Background(), q).Verdict, "the first")
	d := limits.Decide(context.Background(), q)
	assert.Equal(t, ratelimit.Limited, d.Verdict, d)
	assert.GreaterOrEqual(t, d.RetryAfter, 100*365*24*time.Hour, d)
	assert.Positive(t, d.Tenant.Next, d)
	limit, err := ratelimit.Middleware(
		ratelimit.MiddlewareConfig{Limiter: limits, Cost: func(*http.Request) int { return q.Cost }},
	)
	require.NoError(t, err)
	h := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(tenancy.NewContext(t.Context(), tenant(1))))
	after, err := strconv.Atoi(w.Header().Get("Retry-After"))
	assert.Equal(t, http.StatusTooManyRequests, w.Code, "%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	assert.NoError(t, err, "%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	assert.Positive(t, after, "%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
}
