package ratelimit_test

import (
	"net/http"
	"net/netip"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Callers are identified by a known API key, or else by their address behind the platform's proxy.
// A caller who floods does not reduce the limits of the tenant's other callers.
func ExampleCallerFunc() {
	p, done := newSchools()
	defer done()
	proxies, err := tenanthttp.NewProxies(
		tenanthttp.ProxyConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	)
	orPanic(err)
	names := map[string]string{"k-7f3a": "the timetable app"} // a program looks them up in its own store
	limiter, err := ratelimit.New(ratelimit.Config{
		Limits: ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) {
			return ratelimit.Policy{Tenant: ratelimit.PerHour(100), Caller: ratelimit.PerHour(1)}, nil
		}),
	})
	orPanic(err)
	h := p.handler(ratelimit.MiddlewareConfig{
		Limiter: limiter,
		Caller: ratelimit.First(
			ratelimit.Key("key", func(r *http.Request) string { return names[r.Header.Get("Api-Key")] }),
			ratelimit.KeyByIP(proxies),
		),
	}, p.Students())

	const url = "http://schoola.example.com/"
	ask(h, url, "X-Forwarded-For", "203.0.113.1")
	ask(h, url, "X-Forwarded-For", "203.0.113.1", "Api-Key", "invented")
	ask(h, url, "X-Forwarded-For", "203.0.113.2")
	ask(h, url, "X-Forwarded-For", "203.0.113.1", "Api-Key", "k-7f3a")

	// Output:
	// 200 1000 students
	// 429 {"title":"Too many requests","status":429,"detail":"You have sent too many requests."}
	// 200 1000 students
	// 200 1000 students
}
