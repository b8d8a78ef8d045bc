package rpc

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// refusal is the answer to a call that is not served. gRPC and Connect use the same numbers for the
// codes. retry is 0 if it is not known when to call again.
type refusal struct {
	code  uint32
	text  string
	retry time.Duration
}

// The codes of both protocols.
const (
	canceled         = 1
	unknown          = 2
	invalidArgument  = 3
	deadlineExceeded = 4
	notFound         = 5
	permissionDenied = 7
	internal         = 13
	unavailable      = 14
	unauthenticated  = 16
)

// codeOf maps the statuses that [tenanthttp.ProblemOf] returns to codes.
var codeOf = map[int]uint32{
	400: invalidArgument, 401: unauthenticated, 403: permissionDenied, 404: notFound, 503: unavailable,
}

// retryAfter is the time to wait while the database is unavailable.
const retryAfter = 5 * time.Second

// refuse returns the answer to a call whose tenant was not found or is not served.
func refuse(ctx context.Context, err error) refusal {
	if r, ok := ended(ctx); ok {
		return r
	}
	problem, known := tenanthttp.ProblemOf(err)
	if !known {
		slog.ErrorContext(ctx, "cannot find the tenant of a call", slog.Any("error", err))
	}
	text := problem.Detail
	if problem.Title != "" {
		text = problem.Title + ": " + text
	}
	code, ok := codeOf[problem.Status]
	if !ok {
		code = unavailable
	}
	return refusal{code, text, problem.RetryAfter}
}

// failed returns the answer to a call whose handler returned an error that has no code of its own.
// The text of such an error can name tables and values, so it is logged and not sent.
func failed(ctx context.Context, err error) refusal {
	if _, known := tenanthttp.ProblemOf(err); known {
		return refuse(ctx, err)
	}
	if r, ok := ended(ctx); ok {
		return r
	}
	switch slog.ErrorContext(ctx, "a call failed", slog.Any("error", err)); {
	case schemactx.Unavailable(err) && schemactx.MayBeCommitted(err):
		// Not the code unavailable, because clients repeat such calls automatically.
		return refusal{
			unknown, "The connection to the database was lost: a change may have been made. Check before you call again.", 0,
		}
	case schemactx.Unavailable(err):
		return refusal{unavailable, "The database does not answer. Nothing was changed; call again soon.", retryAfter}
	case errors.Is(err, context.DeadlineExceeded):
		return refusal{deadlineExceeded, "The call took too long.", 0}
	}
	return refusal{internal, "The call failed.", 0}
}

// ended returns the answer to a call that its caller has canceled or whose deadline has passed.
func ended(ctx context.Context) (refusal, bool) {
	switch ctx.Err() {
	case context.Canceled:
		return refusal{canceled, "The call was canceled.", 0}, true
	case context.DeadlineExceeded:
		return refusal{deadlineExceeded, "The call took too long.", 0}, true
	}
	return refusal{}, false
}
