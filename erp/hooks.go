package erp

import "context"

// Hooks are called as people come and go. The context is the request's, which knows the school. They must be safe for
// concurrent use, and quick: the request waits for them.
type Hooks struct {
	// Recognised is told on whose behalf a request is, before it is served: for an access log. A session that is over is found out
	// by what the request does.
	Recognised func(ctx context.Context, v Viewer)

	LoggedIn     func(ctx context.Context, data LoggedInData)
	LoginFailed  func(ctx context.Context, data LoginFailedData)
	TokenRefused func(ctx context.Context, data TokenRefusedData)
}

// LoggedInData says who has logged in.
type LoggedInData struct {
	UserID int64
	Role   Role
}

// LoginFailedData says who has not.
type LoginFailedData struct {
	Email string // as it was given; it may be anything, even a password in the wrong field
	Err   error  // [ErrWrongPassword], also for an unknown address and a disabled user, a [ThrottledError], [ErrBusy]
}

// TokenRefusedData says why a token was refused.
type TokenRefusedData struct {
	// Err is [tenanttoken.ErrForeignTenant] for a token of another school or of the platform, [tenanttoken.ErrTokenExpired],
	// [tenanttoken.ErrBadToken] or [ErrSessionOver].
	Err error
}

func (h Hooks) recognised(ctx context.Context, v Viewer) {
	if h.Recognised != nil {
		h.Recognised(ctx, v)
	}
}

func (h Hooks) loggedIn(ctx context.Context, data LoggedInData) {
	if h.LoggedIn != nil {
		h.LoggedIn(ctx, data)
	}
}

func (h Hooks) loginFailed(ctx context.Context, data LoginFailedData) {
	if h.LoginFailed != nil {
		h.LoginFailed(ctx, data)
	}
}

func (h Hooks) tokenRefused(ctx context.Context, data TokenRefusedData) {
	if h.TokenRefused != nil {
		h.TokenRefused(ctx, data)
	}
}
