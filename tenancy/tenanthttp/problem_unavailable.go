package tenanthttp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// unavailableRetryAfter is the Retry-After while the database is unavailable. A restart takes
// seconds.
const unavailableRetryAfter = 5 * time.Second

// UnavailableProblem returns the problem of a request that failed with err because the database is
// unavailable or did not answer before the request's deadline: 503 with Retry-After. ok is false
// for any other error. For a method other than GET and HEAD the detail says whether the change may
// have been made, see [schemactx.MayBeCommitted]. For that, the request has to be one unit of work,
// and err its error.
func UnavailableProblem(r *http.Request, err error) (p Problem, ok bool) {
	if !schemactx.Unavailable(err) && !errors.Is(err, context.DeadlineExceeded) {
		return Problem{}, false
	}
	p = Problem{Status: http.StatusServiceUnavailable, Title: "Database unavailable", RetryAfter: unavailableRetryAfter}
	switch {
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		p.Detail = "The database does not answer. Try again soon."
	case schemactx.MayBeCommitted(err):
		p.Detail = "The connection to the database was lost: the change may have been made. Check before you send it again."
	default:
		p.Detail = "The database does not answer. Nothing was changed; try again soon."
	}
	return p, true
}
