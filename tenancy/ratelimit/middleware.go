package ratelimit

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// MiddlewareConfig configures [Middleware].
type MiddlewareConfig struct {
	// Limiter decides on requests. Required.
	Limiter *Limiter

	// Caller identifies callers. Default: nil, only the limit of the tenant applies.
	Caller CallerFunc

	// Cost returns the number of tokens of a request, for example more for an export. A request of
	// cost 0 is free: it is served without a decision. A negative cost is refused with status 503, see
	// [UndecidedError]. Default: nil, every request costs one.
	Cost func(r *http.Request) int

	// Logger logs errors of decisions, which are not shown to clients, at most once a second. Nil
	// discards.
	Logger *slog.Logger
}

// Middleware returns a middleware that limits requests. Install it inside [tenanthttp.Handler] and
// outside of every handler that does expensive work:
//
//	tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: limit(app)})
//
// A refused request then costs only the lookup of its host and the decision. Requests of a tenant
// use the policy of the tenant, requests of the public site use [Config].Public. A request that
// belongs to neither is refused with status 404.
//
// A request over a limit is refused with status 429 and a [LimitedError], with Retry-After unless
// waiting does not help. If the store cannot decide, the status is 503 with an [UndecidedError].
// Both go through [tenanthttp.Refuse] and so to [tenanthttp.Routes].Refuse. Every response after a
// decision has the fields RateLimit and RateLimit-Policy of
// draft-ietf-httpapi-ratelimit-headers-10, with a policy named "tenant" and, if there is a caller,
// one named "caller". The parameter pk is omitted, because a caller may be a secret.
//
// A config without a limiter is an error.
func Middleware(cfg MiddlewareConfig) (func(http.Handler) http.Handler, error) {
	if cfg.Limiter == nil {
		return nil, errors.New("ratelimit: MiddlewareConfig.Limiter is nil")
	}
	log := newThrottledLog(cfg.Logger)
	return func(next http.Handler) http.Handler { return &middleware{cfg: cfg, next: next, log: log} }, nil
}

type middleware struct {
	cfg  MiddlewareConfig
	next http.Handler
	log  *throttledLog
}

// undecidedRetryAfter is the Retry-After of a request that could not be decided.
const undecidedRetryAfter = time.Second

func (m *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, ok := tenancy.FromContext(r.Context())
	if !ok && !tenancy.IsPublic(r.Context()) {
		tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: tenanthttp.ErrNoSite})
		return
	}
	q := Query{Tenant: t}
	if m.cfg.Cost != nil {
		if q.Cost = m.cfg.Cost(r); q.Cost == 0 {
			m.next.ServeHTTP(w, r)
			return
		}
	}
	if m.cfg.Caller != nil {
		q.Caller = m.cfg.Caller(r)
	}
	d := m.cfg.Limiter.Decide(r.Context(), q)
	if d.Err != nil {
		m.log.error(r.Context(), "limit requests", d.Err)
	}
	d.setHeaders(w.Header(), q)
	if d.Verdict == Allowed {
		m.next.ServeHTTP(w, r)
		return
	}
	tenanthttp.Refuse(w, r, refusal(t, &d))
}

// refusal returns the response to a request that is not allowed.
func refusal(t *tenancy.Tenant, d *Decision) tenanthttp.Refusal {
	if d.Verdict != Limited {
		return tenanthttp.Refusal{
			Err: &UndecidedError{Tenant: slug(t), Err: d.Err},
			Problem: tenanthttp.Problem{
				Status: http.StatusServiceUnavailable, Title: "Requests cannot be counted", Detail: "Try again soon.",
				RetryAfter: undecidedRetryAfter,
			},
		}
	}
	detail := "Too many requests to this site."
	if d.Scope == CallerScope {
		detail = "You have sent too many requests."
	}
	return tenanthttp.Refusal{
		Err: &LimitedError{Tenant: slug(t), Scope: d.Scope, Limit: d.limit(), RetryAfter: d.RetryAfter},
		Problem: tenanthttp.Problem{
			Status: http.StatusTooManyRequests, Title: "Too many requests", Detail: detail, RetryAfter: d.RetryAfter,
		},
	}
}
