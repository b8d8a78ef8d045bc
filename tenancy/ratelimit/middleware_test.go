package ratelimit_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// site is a platform with two tenants on a.example.com and b.example.com and a public site, all
// behind the middleware.
func site(t testing.TB, cfg ratelimit.MiddlewareConfig, routes tenanthttp.Routes) http.Handler {
	t.Helper()
	limit, err := ratelimit.Middleware(cfg)
	require.NoError(t, err)
	app := limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	routes.Public, routes.Tenant = app, app
	hosts := map[string]tenanthttp.Target{
		"example.com":   tenanthttp.PublicTarget(),
		"a.example.com": tenanthttp.TenantTarget(tenant(1)),
		"b.example.com": tenanthttp.TenantTarget(tenant(2)),
	}
	return tenanthttp.Handler(tenanthttp.ResolverFunc(func(_ context.Context, host string) (tenanthttp.Target, error) {
		if target, ok := hosts[host]; ok {
			return target, nil
		}
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	}), routes)
}

func get(h http.Handler, url string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func expectHeaders(t *testing.T, w *httptest.ResponseRecorder, want map[string]string) {
	t.Helper()
	for name, value := range want {
		assert.Equal(t, value, strings.Join(w.Header().Values(name), " | "), name)
	}
}

func TestARequestBeyondTheLimitIsRefusedWith429(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerSecond(2).WithBurst(7), Caller: ratelimit.PerMinute(2)})
		user := ratelimit.Key("user", func(r *http.Request) string { return r.Header.Get("Test-User") })
		h := site(t, ratelimit.MiddlewareConfig{Limiter: l, Caller: user}, tenanthttp.Routes{})
		const url = "http://a.example.com/"

		w := get(h, url, "Test-User", "ann")
		assert.Equal(t, http.StatusNoContent, w.Code, "status")
		expectHeaders(t, w, map[string]string{
			"RateLimit-Policy": `"tenant";q=7;w=4, "caller";q=2;w=60`,
			"RateLimit":        `"tenant";r=6;t=1, "caller";r=1;t=30`,
			"Retry-After":      "",
		})
		get(h, url, "Test-User", "ann")
		w = get(h, url, "Test-User", "ann")
		assert.Equal(t, http.StatusTooManyRequests, w.Code, "status")
		expectHeaders(t, w, map[string]string{
			"RateLimit": `"tenant";r=5;t=1, "caller";r=0;t=30`, "Retry-After": "30",
			"Content-Type": "application/problem+json", "Cache-Control": "no-store",
		})
		assert.Equal(t, `{"title":"Too many requests","status":429,"detail":"You have sent too many requests."}`+"\n",
			w.Body.String(),
			"body")

		// Without a caller only the tenant's bucket counts.
		for range 5 {
			w = get(h, url)
			assert.Equal(t, http.StatusNoContent, w.Code, "status")
		}
		expectHeaders(t, w, map[string]string{"RateLimit-Policy": `"tenant";q=7;w=4`, "RateLimit": `"tenant";r=0;t=1`})
		w = get(h, url)
		assert.Equal(t, http.StatusTooManyRequests, w.Code, "status")
		assert.Equal(t,
			`{"title":"Too many requests","status":429,"detail":"Too many requests to this site."}`+"\n",
			w.Body.String(),
			"body")
		assert.Equal(t, http.StatusNoContent, get(h, "http://b.example.com/").Code, "the other tenant")
		time.Sleep(time.Second)
		assert.Equal(t, http.StatusNoContent, get(h, url).Code, "after Retry-After")
	})
}

func TestDenyAndUnlimitedInTheHeaders(t *testing.T) {
	t.Parallel()
	everybody := func(*http.Request) string { return "everybody" }
	l := limiter(t, ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()})
	w := get(
		site(t, ratelimit.MiddlewareConfig{Limiter: l, Caller: everybody}, tenanthttp.Routes{}),
		"http://a.example.com/",
	)
	assert.Equal(t, http.StatusNoContent, w.Code, "status")
	expectHeaders(t, w, map[string]string{"RateLimit-Policy": "", "RateLimit": "", "Retry-After": ""})

	l = limiter(t, ratelimit.Policy{Tenant: ratelimit.Deny(), Caller: ratelimit.Unlimited()})
	w = get(
		site(t, ratelimit.MiddlewareConfig{Limiter: l, Caller: everybody}, tenanthttp.Routes{}),
		"http://a.example.com/",
	)
	assert.Equal(t, http.StatusTooManyRequests, w.Code, "status")
	expectHeaders(
		t,
		w,
		map[string]string{"RateLimit-Policy": `"tenant";q=0`, "RateLimit": `"tenant";r=0`, "Retry-After": ""},
	)
}

func TestTheProgramsRefuseIsCalled(t *testing.T) {
	t.Parallel()
	var got *ratelimit.LimitedError
	routes := tenanthttp.Routes{Refuse: func(w http.ResponseWriter, _ *http.Request, refusal tenanthttp.Refusal) {
		assert.ErrorIs(t, refusal.Err, ratelimit.ErrLimited)
		assert.Equal(t, "t1", refusal.Tenant.Slug, "tenant")
		assert.ErrorAs(t, refusal.Err, &got)
		w.WriteHeader(http.StatusTeapot)
	}}
	l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerHour(1)})
	h := site(t, ratelimit.MiddlewareConfig{Limiter: l}, routes)
	get(h, "http://a.example.com/")
	assert.Equal(t, http.StatusTeapot, get(h, "http://a.example.com/").Code, "status")
	assert.Equal(t, ratelimit.PerHour(1), got.Limit, "limit")
	assert.Equal(t, ratelimit.TenantScope, got.Scope, "by")
	assert.Equal(t, `tenant "t1": too many requests: limit of the tenant is 1 per 1h0m0s, 1 at once`, got.Error(),
		"text")
}

func TestThePublicSiteHasItsOwnLimit(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, ratelimit.Config{
		Limits: always(ratelimit.Policy{Tenant: ratelimit.Deny()}),
		Public: ratelimit.Policy{Tenant: ratelimit.PerHour(2)},
	})
	h := site(t, ratelimit.MiddlewareConfig{Limiter: l}, tenanthttp.Routes{})
	assert.Equal(t, http.StatusNoContent, get(h, "http://example.com/").Code, "first")
	assert.Equal(t, http.StatusNoContent, get(h, "http://example.com/").Code, "second")
	assert.Equal(t, http.StatusTooManyRequests, get(h, "http://example.com/").Code, "third")
	assert.Equal(t, http.StatusNotFound, get(h, "http://c.example.com/").Code, "unknown host")
}

func TestARequestOutsideOfAnySiteIsNotServed(t *testing.T) {
	t.Parallel()
	limit, err := ratelimit.Middleware(ratelimit.MiddlewareConfig{Limiter: limiter(t, ratelimit.Policy{})})
	require.NoError(t, err)
	h := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { assert.Fail(t, "the request was served") }))
	assert.Equal(t, http.StatusNotFound, get(h, "http://a.example.com/").Code, "status")
	_, err = ratelimit.Middleware(ratelimit.MiddlewareConfig{})
	assert.Error(t, err, "a middleware without a limiter was created")
}

func TestRequestsHaveACost(t *testing.T) {
	t.Parallel()
	cost := map[string]int{"/export": 5, "/health": 0, "/page": 1, "/broken": -1}
	l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerHour(7)})
	h := site(
		t,
		ratelimit.MiddlewareConfig{Limiter: l, Cost: func(r *http.Request) int { return cost[r.URL.Path] }},
		tenanthttp.Routes{},
	)
	for _, c := range []struct {
		path string
		want int
		left string
	}{
		{"/export", http.StatusNoContent, `"tenant";r=2;t=515`},
		{"/export", http.StatusTooManyRequests, `"tenant";r=2;t=515`},
		{"/broken", http.StatusServiceUnavailable, ""},
		{"/page", http.StatusNoContent, `"tenant";r=1;t=515`},
		{"/page", http.StatusNoContent, `"tenant";r=0;t=515`},
		{"/page", http.StatusTooManyRequests, `"tenant";r=0;t=515`},
		{"/health", http.StatusNoContent, ""},
	} {
		w := get(h, "http://a.example.com"+c.path)
		assert.Equal(t, c.want, w.Code, c.path)
		expectHeaders(t, w, map[string]string{"RateLimit": c.left})
	}
}

// storeFunc adapts a function to a store.
type storeFunc func(ctx context.Context, k ratelimit.AllowRequest) (ratelimit.Result, error)

func (f storeFunc) Allow(ctx context.Context, k ratelimit.AllowRequest) (ratelimit.Result, error) {
	return f(ctx, k)
}

var errStore = errors.New("store is away")

func TestAnUndecidedRequestIsNotServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		l := newLimiter(t, ratelimit.Config{
			Limits: always(ratelimit.Policy{}),
			Store: storeFunc(func(context.Context, ratelimit.AllowRequest) (ratelimit.Result, error) {
				return ratelimit.Result{}, errStore
			}),
		})
		var got error
		h := site(
			t,
			ratelimit.MiddlewareConfig{Limiter: l, Logger: slog.New(slog.NewTextHandler(&log, nil))},
			tenanthttp.Routes{
				Refuse: func(w http.ResponseWriter, _ *http.Request, refusal tenanthttp.Refusal) {
					got = refusal.Err
					refusal.Problem.Respond(w)
				},
			},
		)
		for range 50 {
			w := get(h, "http://a.example.com/")
			assert.Equal(t, http.StatusServiceUnavailable, w.Code, "status")
			expectHeaders(t, w, map[string]string{"Retry-After": "1", "RateLimit": "", "RateLimit-Policy": ""})
			assert.NotContains(t, w.Body.String(), "store", "the client sees the reason: %s", w.Body)
		}
		assert.ErrorIs(t, got, ratelimit.ErrUndecided)
		assert.ErrorIs(t, got, errStore)
		assert.Equal(t, ratelimit.Stats{Undecided: 50}, l.Stats(), "undecided")
		assert.Equal(t, 1, strings.Count(log.String(), "store is away"), "records of a flood")
		time.Sleep(time.Second)
		get(h, "http://a.example.com/")
		assert.Equal(t, 1, strings.Count(log.String(), "left_out=49"), "records a second later")
	})
}

func TestADegradedStoreIsReported(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	l := newLimiter(t, ratelimit.Config{
		Limits: always(ratelimit.Policy{}),
		Store: storeFunc(func(context.Context, ratelimit.AllowRequest) (ratelimit.Result, error) {
			return ratelimit.Result{Degraded: errStore}, nil
		}),
	})
	h := site(
		t,
		ratelimit.MiddlewareConfig{Limiter: l, Logger: slog.New(slog.NewTextHandler(&log, nil))},
		tenanthttp.Routes{},
	)
	assert.Equal(t, http.StatusNoContent, get(h, "http://a.example.com/").Code, "status")
	assert.Equal(t, ratelimit.Stats{Allowed: 1, Degraded: 1}, l.Stats(), "stats")
	assert.Equal(t, 1, strings.Count(log.String(), "store is away"), "records")
}

func TestEachDecisionIsReportedAndCounted(t *testing.T) {
	t.Parallel()
	type key struct{}
	var calls []string
	l := newLimiter(t, ratelimit.Config{
		Limits: always(ratelimit.Policy{Tenant: ratelimit.PerHour(4), Caller: ratelimit.PerHour(3)}),
		Public: ratelimit.Policy{Tenant: ratelimit.PerHour(1)},
		Hooks: ratelimit.Hooks{Decided: func(ctx context.Context, data ratelimit.DecidedData) {
			slug := ""
			if data.Tenant != nil {
				slug = data.Tenant.Slug
			}
			calls = append(
				calls,
				ctx.Value(key{}).(string)+slug+" "+data.Decision.Verdict.String()+" "+data.Decision.Scope.String(),
			)
		}},
	})
	ctx := context.WithValue(t.Context(), key{}, "mine:")
	for range 4 {
		l.Decide(ctx, ratelimit.Query{Tenant: tenant(1), Caller: "user:1"})
	}
	l.Decide(ctx, ratelimit.Query{Tenant: tenant(1), Cost: 2})
	l.Decide(ctx, ratelimit.Query{Tenant: tenant(2)})
	l.Decide(ctx, ratelimit.Query{})
	assert.Equal(t, "mine:t1 allowed , mine:t1 allowed , mine:t1 allowed , "+
		"mine:t1 limited caller, mine:t1 limited tenant, mine:t2 allowed , mine: allowed ", strings.Join(calls, ", "),
		"calls")
	assert.Equal(t, ratelimit.Stats{Allowed: 5, LimitedByTenant: 1, LimitedByCaller: 1}, l.Stats(), "all")
	by := map[string]ratelimit.Stats{}
	for tn, s := range l.StatsByTenant() {
		if tn == nil {
			tn = &tenancy.Tenant{Slug: "public"}
		}
		by[tn.Slug] = s
	}
	assert.Equal(t, ratelimit.Stats{Allowed: 3, LimitedByTenant: 1, LimitedByCaller: 1}, by["t1"], "t1")
	assert.Equal(t, ratelimit.Stats{Allowed: 1}, by["t2"], "t2")
	assert.Equal(t, ratelimit.Stats{Allowed: 1}, by["public"], "public")
}
