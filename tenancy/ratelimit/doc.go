// Package ratelimit keeps a tenant, and each of its callers, from taking more than its share of
// requests.
//
//	plans, err := ratelimit.NewPlans(ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{
//		"free": {Tenant: ratelimit.PerSecond(20).WithBurst(40), Caller: ratelimit.PerSecond(5)},
//		"gold": {Tenant: ratelimit.PerSecond(200)},
//	}})
//	limiter, err := ratelimit.New(ratelimit.Config{Limits: plans})
//	limit, err := ratelimit.Middleware(ratelimit.MiddlewareConfig{Limiter: limiter, Caller: ratelimit.ByIP(proxies)})
//
//	tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: limit(app)})
//
// # Limits
//
// A [Policy] has a [Limit] for all requests of a tenant and one for each of its callers. [Plans]
// finds it by the tenant's plan, and by its own numbers in [tenancy.Tenant].Limits; any function
// can, as [LimitsFunc]. It is asked for each decision, so that a change holds from the next request
// on, for buckets that are there too. A limit that nobody has set is a default and not unlimited;
// [Nothing] and [Unlimited] have to be said; negative ones are errors.
//
// # Decisions
//
// [Limiter.Decide] is for everything that is not HTTP; [Middleware] is for what is. A [CallerFunc]
// tells callers apart by user, API key or address (IPv6 by its /64). A request may cost more than
// one. What is refused is answered with 429 by [tenanthttp.Refuse], with Retry-After, and all
// answers carry the fields RateLimit and RateLimit-Policy of
// draft-ietf-httpapi-ratelimit-headers-10 (structured fields, September 2025). Frameworks on
// net/http stand below it.
//
// # Buckets
//
// [Buckets] are in this process and bounded in number, and no flood gets anybody a fresh one, see
// there. Several processes have each their own, so that a tenant has its limit in each. The module
// tenancy/ratelimit/redislimit has a [Store] in Redis that they share.
//
// # What it does not do
//
// It counts requests, not what they do. How many connections of the database a tenant's requests
// hold at a time, and how long its statements run, is limited by [schemactx.Limits]: a flood below
// the rate of its plan is stopped there. Have both.
//
// A refused request has cost its connection and its headers. What comes in faster than those can be
// read has to be stopped in front of the program. BENCHMARKS.md has what was measured, and what
// could not be shown yet.
//
// [schemactx.Limits]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx#Limits
package ratelimit
