package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/platformuser"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// visitors is the limit that opens a school to people who are not logged in. Only the schools of
// the demo have it.
const visitors = "visitors"

func isOpen(t *tenancy.Tenant) bool { return t.Limits[visitors] > 0 }

// visitor returns the viewer for a request without a session. In an open school it may see students
// and classes; elsewhere there is no such viewer.
func visitor(r *http.Request) (erp.Viewer, bool) {
	t, ok := tenancy.FromContext(r.Context())
	return erp.Visitor(), ok && isOpen(t)
}

// schoolConfig configures the logins of the schools' own users, and reports them to the access log.
func (a *app) schoolConfig() erp.HandlerConfig {
	return erp.HandlerConfig{
		Signer:    a.signer,
		Anonymous: visitor,
		Logger:    a.logger,
		Hooks: erp.Hooks{
			Recognised:   recognised,
			LoggedIn:     a.loggedIn,
			LoginFailed:  a.loginFailed,
			TokenRefused: a.tokenRefused,
		},
	}
}

// recognised sets the actor of the request in the access log to the user. The pages know the
// address too, and then set that.
func recognised(ctx context.Context, v erp.Viewer) {
	if v.UserID != 0 {
		audit.SetActor(ctx, fmt.Sprintf("user %d", v.UserID))
	}
}

func (a *app) loggedIn(ctx context.Context, data erp.LoggedInData) {
	audit.SetActor(ctx, fmt.Sprintf("user %d", data.UserID))
	a.record(
		ctx,
		audit.Entry{Action: audit.Login, Details: map[string]any{"user": data.UserID, "role": string(data.Role)}},
	)
}

// loginFailed does not log an invalid address: it may be a password in the wrong field.
func (a *app) loginFailed(ctx context.Context, data erp.LoginFailedData) {
	a.metrics.LoginFailed(ctx)
	e := audit.Entry{Action: audit.LoginFailed, Details: map[string]any{"reason": data.Err.Error()}}
	if address, err := platformuser.NormalizeEmail(data.Email); err == nil {
		e.Actor = address
	}
	a.record(ctx, e)
}

// tokenRefused also logs sessions of another school: they are an attack or a mistake.
func (a *app) tokenRefused(ctx context.Context, data erp.TokenRefusedData) {
	reason := data.Err.Error()
	if errors.Is(data.Err, tenanttoken.ErrForeignTenant) {
		reason = "a session of another site"
	}
	a.record(ctx, audit.Entry{Action: audit.LoginFailed, Details: map[string]any{"reason": reason}})
}

// record does not fail the request. If the entry cannot be logged, it reports that to the program's
// log.
func (a *app) record(ctx context.Context, e audit.Entry) {
	if err := a.log.Record(ctx, e); err != nil {
		a.logger.ErrorContext(ctx, "not in the access log", "error", err)
	}
}
