package erp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// ThrottledError is returned by [Module.LogIn] after too many wrong passwords for an account.
type ThrottledError struct {
	Wait time.Duration // until the next guess
}

func (e *ThrottledError) Error() string { return "too many wrong passwords; wait " + e.Wait.String() }

// LogIn begins a session of the user with an address and a password. It sets the cookie, and
// returns the token, for clients without cookies, and the viewer.
//
// The error is [ErrWrongPassword], also for an unknown address and a disabled user, which take the
// same time; a [ThrottledError]; or [ErrBusy]. The caller must have checked that the request does
// not come from another site, as [Module.SameOrigin] does.
func (m *Module) LogIn(
	w http.ResponseWriter,
	r *http.Request,
	email, password string,
) (token string, v Viewer, err error) {
	return m.logIn(w, r, email, password, func(Viewer) error { return nil })
}

// logIn is LogIn. It calls before once the password is right and before the session begins. If
// before returns an error, the login fails with it.
func (m *Module) logIn(
	w http.ResponseWriter, r *http.Request, email, password string, before func(v Viewer) error,
) (token string, v Viewer, err error) {
	ctx := r.Context()
	if m.cfg.Signer == nil {
		return "", v, errors.New("erp: login without a signer")
	}
	a, err := m.checkPassword(ctx, email, password)
	if err == nil {
		err = before(a.viewer)
	}
	if err == nil {
		token, err = m.issue(ctx, a.viewer)
	}
	if err != nil {
		return "", Viewer{}, err
	}
	m.setCookie(w, r, token)
	m.cfg.Hooks.loggedIn(ctx, LoggedInData{UserID: a.viewer.UserID, Role: a.viewer.Role})
	return token, a.viewer, nil
}

// LogOut ends all sessions of the viewer, on every device, and deletes the cookie.
func (m *Module) LogOut(w http.ResponseWriter, r *http.Request) error {
	if err := NewMe(m.db).EndSessions(r.Context()); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	m.clearCookie(w, r)
	return nil
}

// checkPassword returns the account with an address if the password is right. In every other case
// it hashes one password too, so that the time does not tell whether the account exists. It reports
// a wrong password, and a guess too many, to the hooks.
func (m *Module) checkPassword(ctx context.Context, email, password string) (account, error) {
	normal, invalid := platformuser.NormalizeEmail(email)
	school, ok := schemactx.FromContext(ctx)
	if !ok {
		return account{}, fmt.Errorf("log in: %w", schemactx.ErrNoSchema)
	}
	key := m.guesses.account(school, cmp.Or(normal, email))
	if wait := m.guesses.guess(key, time.Now()); wait > 0 {
		err := &ThrottledError{Wait: wait}
		m.cfg.Hooks.loginFailed(ctx, LoginFailedData{Email: email, Err: err})
		return account{}, err
	}
	var a account
	var err error
	if invalid == nil { // no account has an invalid address
		a, err = NewUsers(m.db).account(ctx, normal)
	}
	var outdated bool
	if err == nil {
		outdated, err = VerifyPassword(ctx, a.hash, password)
	}
	switch {
	case errors.Is(err, ErrWrongPassword):
		m.cfg.Hooks.loginFailed(ctx, LoginFailedData{Email: email, Err: err})
		return account{}, err
	case err != nil:
		// The password was not compared. A client that goes away pays for its guess all the same.
		if !errors.Is(ctx.Err(), context.Canceled) {
			m.guesses.giveBack(key)
		}
		return account{}, err
	}
	m.guesses.forget(key)
	if outdated {
		a.hash = m.rehash(ctx, a, password)
	}
	return a, nil
}

// changePassword sets a new password for the viewer of r if the old one is right, and returns the
// token of a new session.
func (m *Module) changePassword(r *http.Request, email, old, password string) (token string, err error) {
	ctx := r.Context()
	a, err := m.checkPassword(ctx, email, old)
	if err != nil {
		return "", err
	}
	hash, err := HashPassword(ctx, password)
	if err != nil {
		return "", err
	}
	viewer, err := NewMe(m.db).setPassword(ctx, a.hash, hash)
	if err != nil {
		return "", err
	}
	return m.issue(ctx, viewer)
}

// rehash replaces an outdated hash, and returns the current one. An error does not fail the login.
func (m *Module) rehash(ctx context.Context, a account, password string) platformuser.PasswordHash {
	hash, err := HashPassword(ctx, password)
	if err == nil {
		err = NewMe(m.db).rehash(ctx, a.viewer.UserID, a.hash, hash)
	}
	if err != nil {
		m.cfg.Logger.WarnContext(ctx, "replacing an outdated password hash failed", slog.Int64("user", a.viewer.UserID),
			slog.Any("error", err))
		return a.hash
	}
	return hash
}
