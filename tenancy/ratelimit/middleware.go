package ratelimit

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// MiddlewareConfig says how requests are limited.
type MiddlewareConfig struct {
	// Limiter decides. Required.
	Limiter *Limiter

	// Caller tells callers apart. Default: nil, requests count for their tenant alone.
	Caller CallerFunc

	// Cost says how many tokens a request takes, such as more for an export. 0 is a request that is
	// free, and served without a decision. A negative cost is refused with 503, see [UndecidedError].
	// Default: nil, one for each.
	Cost func(r *http.Request) int

	// Logger gets what a client is not told: why a decision was not made as it should be, at most once
	// a second. Nil discards.
	Logger *slog.Logger
}

// Middleware returns what limits the requests of a handler. It stands below [tenanthttp.Handler],
// in front of all that costs something:
//
//	tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: limit(app)})
//
// so that a refused request has cost the look at its host and the decision. Requests of tenants
// have the policy of their tenant, those of the public site [Config].Public; one that belongs to
// neither is refused with 404.
//
// What is beyond a limit is refused with 429, a [LimitedError] and Retry-After, unless it is never
// allowed; what cannot be decided with 503 and an [UndecidedError]. Both go through
// [tenanthttp.Refuse], and so to [tenanthttp.Routes].Refuse. All responses that were decided on
// have RateLimit and RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers-10, with a policy
// named "tenant" and, where there is a caller, one named "caller"; without pk, as a caller may be a
// secret.
//
// A config without a limiter is an error.
func Middleware(cfg MiddlewareConfig) (func(http.Handler) http.Handler, error) {
	if cfg.Limiter == nil {
		return nil, errors.New("ratelimit: MiddlewareConfig.Limiter is nil")
	}
	log := newQuietLog(cfg.Logger)
	return func(next http.Handler) http.Handler { return &middleware{cfg: cfg, next: next, log: log} }, nil
}

type middleware struct {
	cfg  MiddlewareConfig
	next http.Handler
	log  *quietLog
}

// undecidedRetryAfter is what a client is told to wait where nobody knows better.
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

// refusal is the answer to a request that is not allowed.
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
	detail := "There have been too many requests to this site."
	if d.By == CallerScope {
		detail = "You have sent too many requests."
	}
	return tenanthttp.Refusal{
		Err: &LimitedError{Tenant: slug(t), By: d.By, Limit: d.limit(), RetryAfter: d.RetryAfter},
		Problem: tenanthttp.Problem{
			Status: http.StatusTooManyRequests, Title: "Too many requests", Detail: detail, RetryAfter: d.RetryAfter,
		},
	}
}
