package ratelimit_test

import (
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// An export costs ten times as much as a page, and a health check costs nothing.
func ExampleMiddlewareConfig_cost() {
	p, done := newSchools()
	defer done()
	limiter, err := ratelimit.New(
		ratelimit.Config{Limits: ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) {
			return ratelimit.Policy{Tenant: ratelimit.PerHour(11)}, nil
		})},
	)
	orPanic(err)
	h := p.handler(ratelimit.MiddlewareConfig{
		Limiter: limiter,
		Cost: func(r *http.Request) int {
			switch r.URL.Path {
			case "/health":
				return 0
			case "/export":
				return 10
			}
			return 1
		},
	}, p.Students())

	ask(h, "http://schoola.example.com/export")
	ask(h, "http://schoola.example.com/export")
	ask(h, "http://schoola.example.com/")
	ask(h, "http://schoola.example.com/health")

	// Output:
	// 200 1000 students
	// 429 {"title":"Too many requests","status":429,"detail":"Too many requests to this site."}
	// 200 1000 students
	// 200 1000 students
}
