package ratelimit_test

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// A program answers a limited request itself, and leaves all other refusals as they are.
func ExampleLimitedError() {
	p, done := newSchools()
	defer done()
	limiter, err := ratelimit.New(
		ratelimit.Config{Limits: ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) {
			return ratelimit.Policy{Tenant: ratelimit.PerHour(1)}, nil
		})},
	)
	orPanic(err)
	limit, err := ratelimit.Middleware(ratelimit.MiddlewareConfig{Limiter: limiter})
	orPanic(err)
	h := tenanthttp.Handler(p.hosts, tenanthttp.Routes{
		Tenant: limit(p.Students()),
		Refuse: func(w http.ResponseWriter, _ *http.Request, refusal tenanthttp.Refusal) {
			var limited *ratelimit.LimitedError
			if !errors.As(refusal.Err, &limited) {
				refusal.Problem.Respond(w)
				return
			}
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprintf(w, "%s has used up its plan (%v)", refusal.Tenant.Slug, limited.Limit)
		},
	})

	ask(h, "http://schoola.example.com/")
	ask(h, "http://schoola.example.com/")
	ask(h, "http://schoolc.example.com/")

	// Output:
	// 200 1000 students
	// 429 schoola has used up its plan (1 per 1h0m0s, 1 at once)
	// 404 {"title":"Unknown host","status":404,"detail":"There is no site at this host."}
}
