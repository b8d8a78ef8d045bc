package main

import (
	"context"
	"net/http"

	"github.com/oryne/pgtenant/tenancy/metrics"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// The plans of the demo. A school with another plan, or without one, has the limits of basic.
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

// rateLimit returns the middleware that limits requests by the school's plan and by the client's
// address.
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
		Caller:  ratelimit.KeyByIP(nil), // the peer address: there is no proxy
		Logger:  a.logger,
	})
}

// decided passes the decisions of the limiter to the metrics. The two packages do not import each
// other.
func (a *app) decided(ctx context.Context, data ratelimit.DecidedData) {
	decisions := map[ratelimit.Verdict]metrics.Decision{
		ratelimit.Allowed: metrics.Allowed, ratelimit.Limited: metrics.Limited, ratelimit.Undecided: metrics.Undecided,
	}
	a.metrics.RateLimited(ctx, decisions[data.Decision.Verdict])
}
