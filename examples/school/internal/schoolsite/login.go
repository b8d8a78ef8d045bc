package schoolsite

import (
	"errors"
	"net/http"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/examples/school/internal/web"
)

// login is the page for a visitor who is not logged in.
type login struct{ Email, Wrong string }

func (s *site) askLogin(w http.ResponseWriter, r *http.Request) {
	s.Render(w, r, http.StatusOK, "login", s.page(r, person{}, "Log in", login{}))
}

func (s *site) logIn(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	again := login{Email: form.Text("email")}
	_, _, err := s.Module.LogIn(w, r, again.Email, form.Secret("password"))
	var throttled *erp.ThrottledError
	status := http.StatusUnauthorized
	switch {
	case err == nil:
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	case errors.Is(err, erp.ErrWrongPassword):
		again.Wrong = "The address or the password is wrong."
	case errors.As(err, &throttled), errors.Is(err, erp.ErrBusy):
		status, again.Wrong = http.StatusTooManyRequests, "Too many attempts. Wait a minute."
		w.Header().Set("Retry-After", "60")
	default:
		s.Broken(w, r, err)
		return
	}
	s.Render(w, r, status, "login", s.page(r, person{}, "Log in", again))
}

func (s *site) logOut(w http.ResponseWriter, r *http.Request, p person) {
	if err := s.Module.LogOut(w, r); err != nil {
		s.failed(w, r, p, err)
		return
	}
	s.Redirect(w, r, "/login", web.Flash{Text: "You are logged out, on all devices."})
}
