package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/getsentry/sentry-go"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// failed returns a function for schemactx.Hooks.StatementFailure. It sends an event for each
// statement that fails. The client sends in the background.
func failed(client *sentry.Client) func(ctx context.Context, data schemactx.StatementFailure) {
	return func(ctx context.Context, data schemactx.StatementFailure) {
		if ctx.Err() != nil {
			return // the request was canceled or its deadline has passed
		}
		scope := sentry.NewScope()
		for name, value := range tenanthttp.Tags(ctx) {
			scope.SetTag(name, value)
		}
		client.CaptureEvent(event(data), nil, scope)
	}
}

func event(data schemactx.StatementFailure) *sentry.Event {
	kind, what := describe(data.Err)
	e := sentry.NewEvent()
	e.Level = sentry.LevelError
	e.Exception = []sentry.Exception{{Type: kind, Value: what}}
	e.Contexts["statement"] = sentry.Context{"sql": data.SQL}
	e.Fingerprint = []string{kind, what, data.SQL} // one issue for all tenants
	return e
}

// describe describes the error without values of the tenant.
func describe(err error) (kind, what string) {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return fmt.Sprintf("%T", err), "statement failed before the server had an answer"
	}
	return "SQLSTATE " + pgErr.Code, cmp.Or(pgErr.ConstraintName, pgErr.TableName, "statement failed")
}
