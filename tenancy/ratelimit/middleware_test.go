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

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// site is a platform of two tenants on a.example.com and b.example.com and a public site, all behind the middleware.
func site(t testing.TB, cfg ratelimit.MiddlewareConfig, routes tenanthttp.Routes) http.Handler {
	t.Helper()
	limit, err := ratelimit.Middleware(cfg)
	check(t, err)
	app := limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	routes.Public, routes.Tenant = app, app
	hosts := map[string]tenanthttp.Target{
		"example.com": tenanthttp.PublicTarget(), "a.example.com": tenanthttp.TenantTarget(tenant(1)), "b.example.com": tenanthttp.TenantTarget(tenant(2)),
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
		expect(t, name, strings.Join(w.Header().Values(name), " | "), value)
	}
}

func TestARequestBeyondTheLimitIsRefusedWith429(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerSecond(2).WithBurst(7), Caller: ratelimit.PerMinute(2)})
		user := ratelimit.By("user", func(r *http.Request) string { return r.Header.Get("Test-User") })
		h := site(t, ratelimit.MiddlewareConfig{Limiter: l, Caller: user}, tenanthttp.Routes{})
		const url = "http://a.example.com/"

		w := get(h, url, "Test-User", "ann")
		expect(t, "status", w.Code, http.StatusNoContent)
		expectHeaders(t, w, map[string]string{
			"RateLimit-Policy": `"tenant";q=7;w=4, "caller";q=2;w=60`,
			"RateLimit":        `"tenant";r=6;t=1, "caller";r=1;t=30`,
			"Retry-After":      "",
		})
		get(h, url, "Test-User", "ann")
		w = get(h, url, "Test-User", "ann")
		expect(t, "status", w.Code, http.StatusTooManyRequests)
		expectHeaders(t, w, map[string]string{
			"RateLimit": `"tenant";r=5;t=1, "caller";r=0;t=30`, "Retry-After": "30",
			"Content-Type": "application/problem+json", "Cache-Control": "no-store",
		})
		expect(t, "body", w.Body.String(), `{"title":"Too many requests","status":429,"detail":"You have sent too many requests."}`+"\n")

		// Without a caller there is the tenant's bucket alone.
		for range 5 {
			w = get(h, url)
			expect(t, "status", w.Code, http.StatusNoContent)
		}
		expectHeaders(t, w, map[string]string{"RateLimit-Policy": `"tenant";q=7;w=4`, "RateLimit": `"tenant";r=0;t=1`})
		w = get(h, url)
		expect(t, "status", w.Code, http.StatusTooManyRequests)
		expect(t, "body", w.Body.String(),
			`{"title":"Too many requests","status":429,"detail":"There have been too many requests to this site."}`+"\n")
		expect(t, "the other tenant", get(h, "http://b.example.com/").Code, http.StatusNoContent)
		time.Sleep(time.Second)
		expect(t, "after Retry-After", get(h, url).Code, http.StatusNoContent)
	})
}

func TestNothingAndUnlimitedInTheHeaders(t *testing.T) {
	t.Parallel()
	everybody := func(*http.Request) string { return "everybody" }
	l := limiter(t, ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()})
	w := get(site(t, ratelimit.MiddlewareConfig{Limiter: l, Caller: everybody}, tenanthttp.Routes{}), "http://a.example.com/")
	expect(t, "status", w.Code, http.StatusNoContent)
	expectHeaders(t, w, map[string]string{"RateLimit-Policy": "", "RateLimit": "", "Retry-After": ""})

	l = limiter(t, ratelimit.Policy{Tenant: ratelimit.Nothing(), Caller: ratelimit.Unlimited()})
	w = get(site(t, ratelimit.MiddlewareConfig{Limiter: l, Caller: everybody}, tenanthttp.Routes{}), "http://a.example.com/")
	expect(t, "status", w.Code, http.StatusTooManyRequests)
	expectHeaders(t, w, map[string]string{"RateLimit-Policy": `"tenant";q=0`, "RateLimit": `"tenant";r=0`, "Retry-After": ""})
}

func TestTheProgramMayRefuseInItsOwnWay(t *testing.T) {
	t.Parallel()
	var got *ratelimit.LimitedError
	routes := tenanthttp.Routes{Refuse: func(w http.ResponseWriter, _ *http.Request, refusal tenanthttp.Refusal) {
		expectIs(t, refusal.Err, ratelimit.ErrLimited)
		expect(t, "tenant", refusal.Tenant.Slug, "t1")
		if !errors.As(refusal.Err, &got) {
			t.Errorf("got %v", refusal.Err)
		}
		w.WriteHeader(http.StatusTeapot)
	}}
	l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerHour(1)})
	h := site(t, ratelimit.MiddlewareConfig{Limiter: l}, routes)
	get(h, "http://a.example.com/")
	expect(t, "status", get(h, "http://a.example.com/").Code, http.StatusTeapot)
	expect(t, "limit", got.Limit, ratelimit.PerHour(1))
	expect(t, "by", got.By, ratelimit.TenantScope)
	expect(t, "text", got.Error(), `tenant "t1": too many requests: limit of the tenant is 1 per 1h0m0s, 1 at once`)
}

func TestThePublicSiteHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, ratelimit.Config{
		Limits: always(ratelimit.Policy{Tenant: ratelimit.Nothing()}),
		Public: ratelimit.Policy{Tenant: ratelimit.PerHour(2)},
	})
	h := site(t, ratelimit.MiddlewareConfig{Limiter: l}, tenanthttp.Routes{})
	expect(t, "first", get(h, "http://example.com/").Code, http.StatusNoContent)
	expect(t, "second", get(h, "http://example.com/").Code, http.StatusNoContent)
	expect(t, "third", get(h, "http://example.com/").Code, http.StatusTooManyRequests)
	expect(t, "unknown host", get(h, "http://c.example.com/").Code, http.StatusNotFound)
}

func TestARequestOutsideOfAnySiteIsNotServed(t *testing.T) {
	t.Parallel()
	limit, err := ratelimit.Middleware(ratelimit.MiddlewareConfig{Limiter: limiter(t, ratelimit.Policy{})})
	check(t, err)
	h := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("served") }))
	expect(t, "status", get(h, "http://a.example.com/").Code, http.StatusNotFound)
	if _, err := ratelimit.Middleware(ratelimit.MiddlewareConfig{}); err == nil {
		t.Error("a middleware without a limiter was made")
	}
}

func TestRequestsHaveACost(t *testing.T) {
	t.Parallel()
	cost := map[string]int{"/export": 5, "/health": 0, "/page": 1, "/broken": -1}
	l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerHour(7)})
	h := site(t, ratelimit.MiddlewareConfig{Limiter: l, Cost: func(r *http.Request) int { return cost[r.URL.Path] }}, tenanthttp.Routes{})
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
		expect(t, c.path, w.Code, c.want)
		expectHeaders(t, w, map[string]string{"RateLimit": c.left})
	}
}

// storeFunc is a store that does as it is told.
type storeFunc func(ctx context.Context, k ratelimit.Take) (ratelimit.Taken, error)

func (f storeFunc) Take(ctx context.Context, k ratelimit.Take) (ratelimit.Taken, error) {
	return f(ctx, k)
}

var errStore = errors.New("store is away")

func TestWhatCannotBeDecidedIsNotServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		l := newLimiter(t, ratelimit.Config{
			Limits: always(ratelimit.Policy{}),
			Store: storeFunc(func(context.Context, ratelimit.Take) (ratelimit.Taken, error) {
				return ratelimit.Taken{}, errStore
			}),
		})
		var got error
		h := site(t, ratelimit.MiddlewareConfig{Limiter: l, Logger: slog.New(slog.NewTextHandler(&log, nil))}, tenanthttp.Routes{
			Refuse: func(w http.ResponseWriter, _ *http.Request, refusal tenanthttp.Refusal) {
				got = refusal.Err
				refusal.Problem.Respond(w)
			},
		})
		for range 50 {
			w := get(h, "http://a.example.com/")
			expect(t, "status", w.Code, http.StatusServiceUnavailable)
			expectHeaders(t, w, map[string]string{"Retry-After": "1", "RateLimit": "", "RateLimit-Policy": ""})
			if strings.Contains(w.Body.String(), "store") {
				t.Errorf("the client is told why: %s", w.Body)
			}
		}
		expectIs(t, got, ratelimit.ErrUndecided)
		expectIs(t, got, errStore)
		expect(t, "undecided", l.Stats(), ratelimit.Stats{Undecided: 50})
		expect(t, "records of a flood", strings.Count(log.String(), "store is away"), 1)
		time.Sleep(time.Second)
		get(h, "http://a.example.com/")
		expect(t, "records a second later", strings.Count(log.String(), "left_out=49"), 1)
	})
}

func TestADegradedStoreIsToldOf(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	l := newLimiter(t, ratelimit.Config{
		Limits: always(ratelimit.Policy{}),
		Store: storeFunc(func(context.Context, ratelimit.Take) (ratelimit.Taken, error) {
			return ratelimit.Taken{Degraded: errStore}, nil
		}),
	})
	h := site(t, ratelimit.MiddlewareConfig{Limiter: l, Logger: slog.New(slog.NewTextHandler(&log, nil))}, tenanthttp.Routes{})
	expect(t, "status", get(h, "http://a.example.com/").Code, http.StatusNoContent)
	expect(t, "stats", l.Stats(), ratelimit.Stats{Allowed: 1, Degraded: 1})
	expect(t, "records", strings.Count(log.String(), "store is away"), 1)
}

func TestEachDecisionIsToldAndCounted(t *testing.T) {
	t.Parallel()
	type key struct{}
	var told []string
	l := newLimiter(t, ratelimit.Config{
		Limits: always(ratelimit.Policy{Tenant: ratelimit.PerHour(4), Caller: ratelimit.PerHour(3)}),
		Public: ratelimit.Policy{Tenant: ratelimit.PerHour(1)},
		Hooks: ratelimit.Hooks{Decided: func(ctx context.Context, data ratelimit.DecidedData) {
			slug := ""
			if data.Tenant != nil {
				slug = data.Tenant.Slug
			}
			told = append(told, ctx.Value(key{}).(string)+slug+" "+data.Decision.Verdict.String()+" "+data.Decision.By.String())
		}},
	})
	ctx := context.WithValue(t.Context(), key{}, "mine:")
	for range 4 {
		l.Decide(ctx, ratelimit.Query{Tenant: tenant(1), Caller: "user:1"})
	}
	l.Decide(ctx, ratelimit.Query{Tenant: tenant(1), Cost: 2})
	l.Decide(ctx, ratelimit.Query{Tenant: tenant(2)})
	l.Decide(ctx, ratelimit.Query{})
	expect(t, "told", strings.Join(told, ", "), "mine:t1 allowed , mine:t1 allowed , mine:t1 allowed , "+
		"mine:t1 limited caller, mine:t1 limited tenant, mine:t2 allowed , mine: allowed ")
	expect(t, "all", l.Stats(), ratelimit.Stats{Allowed: 5, LimitedByTenant: 1, LimitedByCaller: 1})
	by := map[string]ratelimit.Stats{}
	for tn, s := range l.StatsByTenant() {
		if tn == nil {
			tn = &tenancy.Tenant{Slug: "public"}
		}
		by[tn.Slug] = s
	}
	expect(t, "t1", by["t1"], ratelimit.Stats{Allowed: 3, LimitedByTenant: 1, LimitedByCaller: 1})
	expect(t, "t2", by["t2"], ratelimit.Stats{Allowed: 1})
	expect(t, "public", by["public"], ratelimit.Stats{Allowed: 1})
}
