package ratelimit_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// Limits can change while the program runs: those of a plan, and those of one tenant by its limits
// in the registry.
func ExamplePlans() {
	p, done := newSchools()
	defer done()
	plans, err := ratelimit.NewPlans(
		ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{"free": {Tenant: ratelimit.PerHour(1)}}},
	)
	orPanic(err)
	limiter, err := ratelimit.New(ratelimit.Config{Limits: plans})
	orPanic(err)

	show := func(what string) {
		p.refresh() // in a program the directory of package resolver does this
		target, err := p.hosts.Resolve(context.Background(), "schoola.example.com")
		orPanic(err)
		d := limiter.Decide(context.Background(), ratelimit.Query{Tenant: target.Tenant()})
		fmt.Printf("%s: %v, %v\n", what, d.Verdict, d.Policy.Tenant)
	}
	show("first")
	show("second")
	orPanic(plans.Set(ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{"free": {Tenant: ratelimit.Unlimited()}}}))
	show("another plan")
	t, err := p.tenants.BySlug(context.Background(), "schoola")
	orPanic(err)
	_, err = p.tenants.Update(context.Background(), t, tenancy.Changes{Limits: map[string]int64{ratelimit.TenantRate: 50}})
	orPanic(err)
	show("a number of its own")

	// Output:
	// first: allowed, 1 per 1h0m0s, 1 at once
	// second: limited, 1 per 1h0m0s, 1 at once
	// another plan: allowed, unlimited
	// a number of its own: allowed, 50 per 1s, 50 at once
}
