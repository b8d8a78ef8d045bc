// Package ratelimit limits the request rate of each tenant and of each of its callers.
//
//	plans, err := ratelimit.NewPlans(ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{
//		"free": {Tenant: ratelimit.PerSecond(20).WithBurst(40), Caller: ratelimit.PerSecond(5)},
//		"gold": {Tenant: ratelimit.PerSecond(200)},
//	}})
//	limiter, err := ratelimit.New(ratelimit.Config{Limits: plans})
//	limit, err := ratelimit.Middleware(ratelimit.MiddlewareConfig{
//		Limiter: limiter, Caller: ratelimit.KeyByIP(proxies),
//	})
//
//	tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: limit(app)})
//
// # Limits
//
// A [Policy] has one [Limit] for all requests of a tenant and one for each of its callers. [Plans]
// selects the policy by the plan of the tenant and by its own numbers in [tenancy.Tenant].Limits.
// Any function can do so as a [LimitsFunc]. It is called for each decision: a change applies from
// the next request on, also to existing buckets. A limit that is not set has a default and is not
// unlimited. Use [Deny] or [Unlimited] to allow nothing or everything. Negative limits are errors.
//
// # Decisions
//
// [Middleware] limits HTTP requests; [Limiter.Decide] is for everything else. A [CallerFunc]
// identifies callers by user, API key or address (IPv6 by its /64). A request may cost more than
// one token. A refused request gets status 429 and Retry-After through [tenanthttp.Refuse]. All
// responses carry the fields RateLimit and RateLimit-Policy of
// draft-ietf-httpapi-ratelimit-headers-10 (structured fields, September 2025).
//
// # Buckets
//
// [Buckets] are token buckets in this process. Their number is bounded, and a flood of callers does
// not give any caller a fresh bucket. Each process has its own buckets, so a tenant has its limit
// in each process. The module tenancy/ratelimit/redislimit has a [Store] in Redis that processes
// share.
//
// # What it does not do
//
// The limiter counts requests, not their work. [schemactx.Limits] limits how many database
// connections a tenant holds and how long its statements run. It stops a flood that stays below the
// rate of the plan. Use both.
//
// A refused request has still cost its connection and its headers. Traffic that arrives faster than
// the program can read headers has to be stopped in front of the program. BENCHMARKS.md has the
// measurements and their limits.
//
// [schemactx.Limits]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx#Limits
package ratelimit
