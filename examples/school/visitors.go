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

// recognised sets the user as the actor of the request in the access log. The pages know the user's
// address, and set that instead.
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

// loginFailed logs a failed login. It omits an invalid address, which may be a password in the
// wrong field.
func (a *app) loginFailed(ctx context.Context, data erp.LoginFailedData) {
	a.metrics.LoginFailed(ctx)
	e := audit.Entry{Action: audit.LoginFailed, Details: map[string]any{"reason": data.Err.Error()}}
	if address, err := platformuser.NormalizeEmail(data.Email); err == nil {
		e.Actor = address
	}
	a.record(ctx, e)
}

// tokenRefused logs a refused token. A session of another school is an attack or a mistake, and has
// a reason of its own.
func (a *app) tokenRefused(ctx context.Context, data erp.TokenRefusedData) {
	reason := data.Err.Error()
	if errors.Is(data.Err, tenanttoken.ErrForeignTenant) {
		reason = "a session of another site"
	}
	a.record(ctx, audit.Entry{Action: audit.LoginFailed, Details: map[string]any{"reason": reason}})
}

// record adds an entry to the access log. If that fails, the program's log gets an error, and the
// request continues.
func (a *app) record(ctx context.Context, e audit.Entry) {
	if err := a.log.Record(ctx, e); err != nil {
		a.logger.ErrorContext(ctx, "not in the access log", "error", err)
	}
}
