package tenanthttp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// unavailableRetryAfter is the Retry-After while the database is away: a restart takes seconds.
const unavailableRetryAfter = 5 * time.Second

// UnavailableProblem returns the answer to a request that failed with err because the database is
// away or did not answer before the request's deadline: 503 with Retry-After. ok is false if err
// says something else. For a method other than GET and HEAD the answer says whether the change may
// have been made, see [schemactx.MayBeCommitted]; for that, the request has to be one unit of work,
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
		p.Detail = "The connection to the database was lost: the change may have been made. Look before you send it again."
	default:
		p.Detail = "The database does not answer. Nothing was changed; try again soon."
	}
	return p, true
}
