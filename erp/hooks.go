package erp

import "context"

// Hooks are called on logins and requests. The context is the request's, with its school. Hooks
// must be safe for concurrent use, and fast: the request waits for them.
type Hooks struct {
	// Recognised is called with the viewer of a request before the request is served, such as for an
	// access log. The session may be over: only the statements of the request find that out.
	Recognised func(ctx context.Context, v Viewer)

	LoggedIn     func(ctx context.Context, data LoggedInData)
	LoginFailed  func(ctx context.Context, data LoginFailedData)
	TokenRefused func(ctx context.Context, data TokenRefusedData)
}

// LoggedInData is the user who has logged in.
type LoggedInData struct {
	UserID int64
	Role   Role
}

// LoginFailedData is a failed login.
type LoginFailedData struct {
	Email string // as it was given; it may be anything, even a password in the wrong field
	// Err is [ErrWrongPassword], also for an unknown address and a disabled user, or a
	// [ThrottledError]. A login that an error of the database or [ErrBusy] prevents is not reported.
	Err error
}

// TokenRefusedData is a refused token.
type TokenRefusedData struct {
	// Err is [tenanttoken.ErrForeignTenant] for a token of another school or of the platform,
	// [tenanttoken.ErrTokenExpired], [tenanttoken.ErrBadToken] or [ErrSessionOver].
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
