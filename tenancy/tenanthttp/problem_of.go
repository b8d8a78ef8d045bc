package tenanthttp

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Values of Retry-After.
const (
	defaultRetryAfter = 30 * time.Second // if the end is unknown
	maxRetryAfter     = time.Hour        // a maintenance may end early
)

func retryAfter(until time.Time) time.Duration {
	if left := time.Until(until); left > 0 {
		return min(left, maxRetryAfter)
	}
	return defaultRetryAfter
}

// ProblemOf returns the problem that [Handler] sends for err, and whether err is known: an error of
// [tenancy.Serveable], of an Admit, of a [Resolver], or of packages tenancy, tenanttoken and this
// one. The problem of an unknown error has status 503 and says that the host cannot be resolved.
// The program should log such an error.
func ProblemOf(err error) (p Problem, known bool) {
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
			Detail: "The request's host is not valid.",
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

// ProblemQuarantined is the [Problem].Type of the response for a tenant in quarantine, see
// [tenancy.QuarantineError].
const ProblemQuarantined = "urn:pgtenant:problem:quarantined"

var unknownHost = Problem{Status: http.StatusNotFound, Title: "Unknown host", Detail: "There is no site at this host."}

// inactiveProblem is the problem for a tenant that is not active. The client sees the Reason.
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
	default: // dropping, stocked, or a status of a newer version of the registry
		return unknownHost
	}
	return p
}
