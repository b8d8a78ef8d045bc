package ratelimit_test

import (
	"fmt"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// The plan of a tenant limits its requests. The other tenant is not affected.
func ExampleMiddleware() {
	p, done := newSchools()
	defer done()

	plans, err := ratelimit.NewPlans(ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{
		"free": {Tenant: ratelimit.PerHour(2)},
		"gold": {Tenant: ratelimit.PerHour(1000)},
	}})
	orPanic(err)
	limiter, err := ratelimit.New(ratelimit.Config{Limits: plans})
	orPanic(err)
	h := p.handler(ratelimit.MiddlewareConfig{Limiter: limiter}, p.Students())

	ask(h, "http://schoola.example.com/")
	ask(h, "http://schoola.example.com/")
	refused := ask(h, "http://schoola.example.com/").Header()
	ask(h, "http://schoolb.example.com/")
	fmt.Println(refused.Get("RateLimit-Policy"))
	fmt.Println(refused.Get("RateLimit"))
	fmt.Println(refused.Get("Retry-After"))

	// Output:
	// 200 1000 students
	// 200 1000 students
	// 429 {"title":"Too many requests","status":429,"detail":"Too many requests to this site."}
	// 200 1000 students
	// "tenant";q=2;w=3600
	// "tenant";r=0;t=1800
	// 1800
}
