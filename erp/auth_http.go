package erp

import (
	"net/http"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// registerAuth adds the routes of the viewer's own session. Without a signer it adds none.
func (m *Module) registerAuth(mux *http.ServeMux) {
	if m.cfg.Signer == nil {
		return
	}
	m.mount(mux, "/api/auth/login", methods{http.MethodPost: m.serveLogin}, m.SameOrigin)
	m.handle(mux, "/api/auth/logout", methods{http.MethodPost: m.serveLogout})
	m.handle(mux, "/api/auth/me", methods{http.MethodGet: m.serveMe})
	m.handle(mux, "/api/auth/password", methods{http.MethodPut: m.servePassword})
}

func (m *Module) serveLogin(w http.ResponseWriter, r *http.Request) error {
	var input struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	}
	if err := readJSON(w, r, &input); err != nil {
		return err
	}
	var user User
	token, _, err := m.logIn(w, r, input.Email, input.Password, func(v Viewer) (err error) {
		user, err = NewMe(m.db).Get(NewContext(r.Context(), v))
		return err
	})
	if err != nil {
		// A failed login has only read, so the answer must not warn that a change may have been made.
		m.refuse(w, asRead(r), err)
		return nil
	}
	writeJSON(w, http.StatusOK, struct {
		Token string `json:"token"` // for Authorization: Bearer; browsers use the cookie
		User  User   `json:"user"`
	}{token, user})
	return nil
}

// asRead returns a copy of r for which [Module.refuse] does not mention a change.
func asRead(r *http.Request) *http.Request {
	read := r.WithContext(r.Context())
	read.Method = http.MethodGet
	return read
}

func (m *Module) serveLogout(w http.ResponseWriter, r *http.Request) error {
	if err := m.LogOut(w, r); err != nil {
		return err
	}
	writeNothing(w, http.StatusNoContent)
	return nil
}

func (m *Module) serveMe(w http.ResponseWriter, r *http.Request) error {
	user, err := m.me(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, user)
	return nil
}

// servePassword changes the viewer's own password. It ends all sessions of the user and begins a
// new one.
func (m *Module) servePassword(w http.ResponseWriter, r *http.Request) error {
	var input struct {
		Current string `json:"current"`
		New     string `json:"new"`
	}
	if err := readJSON(w, r, &input); err != nil {
		return err
	}
	user, err := m.me(r)
	if err != nil {
		return err
	}
	token, err := m.changePassword(r, user.Email, input.Current, input.New)
	if err != nil {
		return err
	}
	m.setCookie(w, r, token)
	writeJSON(w, http.StatusOK, struct {
		Token string `json:"token"`
	}{token})
	return nil
}

// me returns the user of the session, or errNoToken without one.
func (m *Module) me(r *http.Request) (User, error) {
	if v, ok := ViewerFromContext(r.Context()); ok && v.UserID == 0 {
		return User{}, errNoToken
	}
	return NewMe(m.db).Get(r.Context())
}

// SameOrigin serves requests with next, except requests that may change something and come from
// another site's page: it refuses those with 403. [Module.WithViewer] does the same; use SameOrigin
// for pages without a viewer, such as a login page.
func (m *Module) SameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := m.origins.Check(r); err != nil {
			tenanthttp.Problem{
				Status: http.StatusForbidden,
				Title:  "Cross-origin request",
				Detail: "Another site has sent this request.",
			}.Respond(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}
