package main

import (
	"context"
	"net/http"

	"github.com/oryne/pgtenant/tenancy/metrics"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// The plans of the demo. A school with another plan or none has that of basic.
const (
	basicPlan   = "basic"
	premiumPlan = "premium"
)

var plans = ratelimit.PlansConfig{
	Plans: map[string]ratelimit.Policy{
		basicPlan:   {Tenant: ratelimit.PerSecond(50).WithBurst(100), Caller: ratelimit.PerSecond(10).WithBurst(50)},
		premiumPlan: {Tenant: ratelimit.PerSecond(500).WithBurst(1000), Caller: ratelimit.PerSecond(50).WithBurst(250)},
	},
	Default: ratelimit.Policy{
		Tenant: ratelimit.PerSecond(50).WithBurst(100),
		Caller: ratelimit.PerSecond(10).WithBurst(50),
	},
}

// rateLimit returns what limits a site's requests: by the school's plan, and by the address of who
// asks.
func (a *app) rateLimit() (func(http.Handler) http.Handler, error) {
	limits, err := ratelimit.NewPlans(plans)
	if err != nil {
		return nil, err
	}
	limiter, err := ratelimit.New(ratelimit.Config{Limits: limits, Hooks: ratelimit.Hooks{Decided: a.decided}})
	if err != nil {
		return nil, err
	}
	return ratelimit.Middleware(ratelimit.MiddlewareConfig{
		Limiter: limiter,
		Caller:  ratelimit.KeyByIP(nil), // who connects: there is no proxy
		Logger:  a.logger,
	})
}

// decided tells the metrics what the limiter has said. The two packages do not know each other.
func (a *app) decided(ctx context.Context, data ratelimit.DecidedData) {
	decisions := map[ratelimit.Verdict]metrics.Decision{
		ratelimit.Allowed: metrics.Allowed, ratelimit.Limited: metrics.Limited, ratelimit.Undecided: metrics.Undecided,
	}
	a.metrics.RateLimited(ctx, decisions[data.Decision.Verdict])
}
