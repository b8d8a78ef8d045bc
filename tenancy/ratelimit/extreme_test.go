package ratelimit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// What takes longer than a Duration holds to be full does not come back from the past.
func TestNoWaitIsNegative(t *testing.T) {
	t.Parallel()
	l := ratelimit.Limit{Requests: 1, Per: ratelimit.MaxPer, Burst: ratelimit.MaxRequests}
	if l.Refill() <= 0 {
		t.Errorf("a bucket is full after %v", l.Refill())
	}
	limits := limiter(t, ratelimit.Policy{Tenant: l})
	q := ratelimit.Query{Tenant: tenant(1), Cost: ratelimit.MaxRequests}
	expect(t, "the first", limits.Decide(context.Background(), q).Verdict, ratelimit.Allowed)
	d := limits.Decide(context.Background(), q)
	if d.Verdict != ratelimit.Limited || d.RetryAfter < 100*365*24*time.Hour || d.Tenant.Next <= 0 {
		t.Errorf("got %+v", d)
	}
	limit, err := ratelimit.Middleware(ratelimit.MiddlewareConfig{Limiter: limits, Cost: func(*http.Request) int { return q.Cost }})
	check(t, err)
	h := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(tenancy.NewContext(t.Context(), tenant(1))))
	if after, err := strconv.Atoi(w.Header().Get("Retry-After")); w.Code != http.StatusTooManyRequests || err != nil || after <= 0 {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
}
