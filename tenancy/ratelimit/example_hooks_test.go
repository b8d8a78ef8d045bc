package ratelimit_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// A hook is called for each decision, for example to count by tenant. Decide is for work other than
// HTTP requests, such as jobs.
func ExampleHooks() {
	limiter, err := ratelimit.New(ratelimit.Config{
		Limits: ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) {
			return ratelimit.Policy{Tenant: ratelimit.PerHour(2)}, nil
		}),
		Hooks: ratelimit.Hooks{Decided: func(_ context.Context, data ratelimit.DecidedData) {
			if data.Decision.Verdict == ratelimit.Limited {
				fmt.Println(data.Tenant.Slug, "is limited; limit of the", data.Decision.Scope)
			}
		}},
	})
	orPanic(err)

	school := &tenancy.Tenant{ID: 1, Slug: "schoola"}
	for range 3 {
		limiter.Decide(context.Background(), ratelimit.Query{Tenant: school})
	}
	for t, s := range limiter.StatsByTenant() {
		fmt.Println(t.Slug, s.Allowed, "allowed,", s.LimitedByTenant, "limited")
	}

	// Output:
	// schoola is limited; limit of the tenant
	// schoola 2 allowed, 1 limited
}
