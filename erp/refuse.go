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

// refusal is an error that is a problem already.
type refusal struct{ problem tenanthttp.Problem }

func (r *refusal) Error() string { return r.problem.Detail }

// action serves a request, or returns why it does not, which [Module.refuse] tells the client.
type action func(w http.ResponseWriter, r *http.Request) error

// refuse answers with the problem that err stands for.
func (m *Module) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrSessionOver), errors.Is(err, errNoToken):
		m.refuseToken(w, r, err)
	case errors.Is(err, context.Canceled): // the client has gone, or the program is about to
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

// problemOf returns what a client is told of err, and whether that is all there is to say.
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
		return tenanthttp.Problem{Status: http.StatusTooManyRequests, Detail: "Too many wrong passwords for this account.", RetryAfter: slow.Wait}, true
	case errors.Is(err, ErrWrongPassword):
		return tenanthttp.Problem{Status: http.StatusUnauthorized, Title: "Wrong password", Detail: "The email address or the password is wrong."}, true
	case errors.Is(err, ErrNotFound):
		return tenanthttp.Problem{Status: http.StatusNotFound, Detail: "There is no such thing in this school, or it is not yours to see."}, true
	case errors.Is(err, ErrForbidden):
		return tenanthttp.Problem{Status: http.StatusForbidden, Detail: "This is not for your role."}, true
	case errors.Is(err, ErrChanged):
		return tenanthttp.Problem{Status: http.StatusPreconditionFailed, Detail: "It was changed meanwhile; read it again."}, true
	case errors.Is(err, ErrBusy):
		return tenanthttp.Problem{Status: http.StatusServiceUnavailable, Detail: "Too many people log in just now.", RetryAfter: time.Second}, true
	case collided(err):
		return tenanthttp.Problem{Status: http.StatusServiceUnavailable, Detail: "Others were changing the same; try again.", RetryAfter: time.Second}, true
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

// collided reports whether the statement was given up because others stood in its way, so that it can be sent again.
func collided(err error) bool {
	const serializationFailure, deadlock = "40001", "40P01"
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == deadlock || pgErr.Code == serializationFailure)
}
