package tenanthttp

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Refusal says why a request is not served.
type Refusal struct {
	// Err is the reason, never nil: the resolver's error, a [tenancy.InactiveError], a
	// [tenancy.QuarantineError], [ErrNoSite], [ErrNoSession], [tenanttoken.ErrForeignTenant] or
	// another error of these packages. It is for the program and may hold more than a client should
	// read.
	Err error

	// Problem is what the client is told by default.
	Problem Problem

	// Tenant is the tenant of the host, if it is known. It must not be changed. For a tenant in any
	// other status than active, suspended, maintenance and provisioning, the default answer is that
	// for an unknown host.
	Tenant *tenancy.Tenant
}

type refuseFunc func(w http.ResponseWriter, r *http.Request, refusal Refusal)

// Refuse answers r with a refusal: with the [Routes].Refuse of the [Handler] that r came through,
// else with the problem. Middlewares use it to refuse requests in the platform's own way. Without a
// Problem, the refusal gets the one that belongs to Err. Without a Tenant, it gets that of r's
// context. The response has Cache-Control: no-store.
func Refuse(w http.ResponseWriter, r *http.Request, refusal Refusal) {
	if refusal.Problem.Status == 0 {
		refusal.Problem, _ = problemOf(refusal.Err)
	}
	if refusal.Tenant == nil {
		refusal.Tenant, _ = tenancy.FromContext(r.Context())
	}
	refuse(w, r, refuserOf(r.Context()), refusal)
}

func refuse(w http.ResponseWriter, r *http.Request, by refuseFunc, refusal Refusal) {
	w.Header().Set("Cache-Control", "no-store")
	if refusal.Problem.Status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2, wants one
	}
	by(w, r, refusal)
}

// respond is the default answer.
func respond(w http.ResponseWriter, _ *http.Request, refusal Refusal) { refusal.Problem.Respond(w) }

// Values of Retry-After.
const (
	defaultRetryAfter = 30 * time.Second // if no end is known
	maxRetryAfter     = time.Hour        // a maintenance may end before its time
)

func retryAfter(until time.Time) time.Duration {
	if left := time.Until(until); left > 0 {
		return min(left, maxRetryAfter)
	}
	return defaultRetryAfter
}

// problemOf is [ProblemOf].
func problemOf(err error) (p Problem, known bool) {
	var why *tenancy.InactiveError
	var quarantined *tenancy.QuarantineError
	switch {
	case errors.As(err, &why):
		return inactiveProblem(why), true
	case errors.As(err, &quarantined):
		return Problem{
			Type:       ProblemQuarantined,
			Status:     http.StatusServiceUnavailable,
			Title:      "Being updated",
			Detail:     "This site cannot be used until its database has been brought up to date.",
			RetryAfter: quarantined.RetryAfter,
		}, true
	case errors.Is(err, tenancy.ErrInvalidHost):
		return Problem{
			Status: http.StatusBadRequest,
			Title:  "Invalid host",
			Detail: "The request's host is not a valid one.",
		}, true
	case errors.Is(err, tenancy.ErrAmbiguousTenant):
		return Problem{
			Status: http.StatusBadRequest,
			Title:  "Ambiguous request",
			Detail: "The request names more than one site.",
		}, true
	case errors.Is(err, tenancy.ErrUnknownHost):
		return unknownHost, true
	case errors.Is(err, ErrNoSite):
		return Problem{Status: http.StatusNotFound, Detail: "There is nothing at this address."}, true
	case errors.Is(err, tenanttoken.ErrForeignTenant):
		return Problem{
			Status: http.StatusForbidden,
			Title:  "Foreign session",
			Detail: "This session belongs to another site.",
		}, true
	case errors.Is(err, ErrNoSession):
		return Problem{Status: http.StatusUnauthorized, Title: "No session", Detail: "Sign in first."}, true
	case errors.Is(err, tenanttoken.ErrTokenExpired), errors.Is(err, tenanttoken.ErrBadToken):
		return Problem{Status: http.StatusUnauthorized, Title: "Invalid session", Detail: "Sign in again."}, true
	}
	return Problem{
		Status:     http.StatusServiceUnavailable,
		Title:      "Cannot resolve host",
		Detail:     "Try again soon.",
		RetryAfter: defaultRetryAfter,
	}, false
}

// ProblemQuarantined is the [Problem].Type of the answer to a request for a tenant in quarantine,
// see [tenancy.QuarantineError].
const ProblemQuarantined = "urn:pgtenant:problem:quarantined"

var unknownHost = Problem{Status: http.StatusNotFound, Title: "Unknown host", Detail: "There is no site at this host."}

// inactiveProblem is the answer on the host of a tenant that is not active. It shows the Reason to
// the client.
func inactiveProblem(e *tenancy.InactiveError) Problem {
	p := Problem{Status: http.StatusServiceUnavailable}
	switch e.Status {
	case tenancy.Suspended:
		p.Status, p.Title = http.StatusForbidden, "Suspended"
		p.Detail = cmp.Or(e.Reason, "This site is suspended.")
	case tenancy.Maintenance:
		p.Title, p.RetryAfter = "Maintenance", retryAfter(e.Until)
		p.Detail = cmp.Or(e.Reason, "This site is being worked on.")
	case tenancy.Provisioning:
		p.Title, p.Detail, p.RetryAfter = "Not ready", "This site is being set up.", defaultRetryAfter
	default: // dropping, or a status that a newer version of the registry knows
		return unknownHost
	}
	return p
}

// ProblemOf returns the answer that [Handler] gives a client for err, and whether err is known: an
// error of [tenancy.Serveable], of an Admit, of a [Resolver], or of packages tenancy, tenanttoken
// and this one. The problem of an unknown error has status 503 and says that the host cannot be
// resolved. The program should log such an error.
func ProblemOf(err error) (p Problem, known bool) { return problemOf(err) }
