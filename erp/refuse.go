package erp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// refusal is an error with its problem.
type refusal struct{ problem tenanthttp.Problem }

func (r *refusal) Error() string { return r.problem.Detail }

// action serves a request, or returns an error, which [Module.refuse] answers.
type action func(w http.ResponseWriter, r *http.Request) error

// refuse answers with the problem of err.
func (m *Module) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrSessionOver), errors.Is(err, errNoToken):
		m.refuseToken(w, r, err)
	case errors.Is(err, context.Canceled): // the client is gone, or the program is stopping
		tenanthttp.Problem{Status: http.StatusServiceUnavailable, RetryAfter: time.Second}.Respond(w)
	default:
		p, known := problemOf(r, err)
		if !known {
			m.cfg.Logger.ErrorContext(r.Context(), "request failed", slog.String("path", r.URL.Path), slog.Any("error", err))
		}
		if p.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		p.Respond(w)
	}
}

// problemOf returns the problem for the client. known is false if err should be logged, because the
// problem does not say everything.
func problemOf(r *http.Request, err error) (p tenanthttp.Problem, known bool) {
	var (
		ready *refusal
		input *InputError
		body  *bodyError
		slow  *ThrottledError
	)
	switch {
	case errors.As(err, &ready):
		return ready.problem, true
	case errors.As(err, &body):
		return tenanthttp.Problem{Status: body.status, Detail: body.detail, Fields: body.fields()}, true
	case errors.As(err, &input):
		return inputProblem(input), true
	case errors.As(err, &slow):
		return tenanthttp.Problem{
			Status:     http.StatusTooManyRequests,
			Detail:     "Too many wrong passwords for this account.",
			RetryAfter: slow.Wait,
		}, true
	case errors.Is(err, ErrWrongPassword):
		return tenanthttp.Problem{
			Status: http.StatusUnauthorized,
			Title:  "Wrong password",
			Detail: "The email address or the password is wrong.",
		}, true
	case errors.Is(err, ErrNotFound):
		return tenanthttp.Problem{
			Status: http.StatusNotFound,
			Detail: "This does not exist in this school, or you may not see it.",
		}, true
	case errors.Is(err, ErrForbidden):
		return tenanthttp.Problem{Status: http.StatusForbidden, Detail: "Your role does not allow this."}, true
	case errors.Is(err, ErrChanged):
		return tenanthttp.Problem{
			Status: http.StatusPreconditionFailed,
			Detail: "It has changed since you read it. Read it again.",
		}, true
	case errors.Is(err, ErrBusy):
		return tenanthttp.Problem{
			Status:     http.StatusServiceUnavailable,
			Detail:     "Too many people are logging in. Try again soon.",
			RetryAfter: time.Second,
		}, true
	case aborted(err):
		return tenanthttp.Problem{
			Status:     http.StatusServiceUnavailable,
			Detail:     "Another request was changing the same rows. Try again.",
			RetryAfter: time.Second,
		}, true
	}
	if p, away := tenanthttp.UnavailableProblem(r, err); away {
		return p, false
	}
	return tenanthttp.Problem{Status: http.StatusInternalServerError}, false
}

func inputProblem(e *InputError) tenanthttp.Problem {
	p := tenanthttp.Problem{Status: http.StatusUnprocessableEntity, Title: "Invalid input", Detail: e.Error()}
	if e.Conflict {
		p.Status, p.Title = http.StatusConflict, "Conflict"
	}
	for _, f := range e.Fields {
		p.Fields = append(p.Fields, tenanthttp.ProblemField{Field: f.Field, Detail: f.Rule})
	}
	return p
}

// aborted reports whether the database aborted the statement because of a concurrent one, so that
// the client can retry.
func aborted(err error) bool {
	const serializationFailure, deadlock = "40001", "40P01"
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == deadlock || pgErr.Code == serializationFailure)
}
