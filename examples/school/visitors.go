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

// visitors is the limit of a school that lets people look around who have not logged in: those of
// the demo, and no others.
const visitors = "visitors"

func isOpen(t *tenancy.Tenant) bool { return t.Limits[visitors] > 0 }

// visitor is who has not logged in: at an open school somebody who may look at students and
// classes, elsewhere nobody.
func visitor(r *http.Request) (erp.Viewer, bool) {
	t, ok := tenancy.FromContext(r.Context())
	return erp.Visitor(), ok && isOpen(t)
}

// schoolConfig says how the schools' own people come in, and has the access log told of it.
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

// recognised has the access log name who has sent a request. The pages know the address as well,
// and name that.
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

// loginFailed does not log what was given for an address: it may be a password in the wrong field.
func (a *app) loginFailed(ctx context.Context, data erp.LoginFailedData) {
	a.metrics.LoginFailed(ctx)
	e := audit.Entry{Action: audit.LoginFailed, Details: map[string]any{"reason": data.Err.Error()}}
	if address, err := platformuser.NormalizeEmail(data.Email); err == nil {
		e.Actor = address
	}
	a.record(ctx, e)
}

// tokenRefused is told of sessions of another school, too: whoever sends one tries something, or
// has mixed something up.
func (a *app) tokenRefused(ctx context.Context, data erp.TokenRefusedData) {
	reason := data.Err.Error()
	if errors.Is(data.Err, tenanttoken.ErrForeignTenant) {
		reason = "a session of another site"
	}
	a.record(ctx, audit.Entry{Action: audit.LoginFailed, Details: map[string]any{"reason": reason}})
}

// record does not fail a request: what the log cannot take is in its own and the program's.
func (a *app) record(ctx context.Context, e audit.Entry) {
	if err := a.log.Record(ctx, e); err != nil {
		a.logger.ErrorContext(ctx, "not in the access log", "error", err)
	}
}
