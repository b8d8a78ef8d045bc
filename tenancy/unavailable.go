package tenancy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// unavailableRetryAfter is how long a client is told to wait for a database that is away: a restart takes seconds.
const unavailableRetryAfter = 5 * time.Second

// UnavailableProblem returns the answer to a request that failed with err because the database is away, or did not
// answer before the request's deadline, and whether it did: 503 with Retry-After. For a request that may change
// something it says whether that may have been done, see [schemactx.MayBeCommitted]; err is that of the one unit of
// work that the request was.
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
