package publicsite

import (
	"errors"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// sessions returns the session tokens of r: the one of the Authorization header, or those of the
// cookies.
func sessions(r *http.Request) []string {
	if tokens := tenanthttp.BearerToken()(r); len(tokens) > 0 {
		return tokens
	}
	return web.Cookies(r, staff.Cookie)
}

// userJSON is a staff member in the answers to their own requests.
type userJSON struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
}

func (s *site) logIn(w http.ResponseWriter, r *http.Request) {
	var input struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		Code     string `json:"code"`
	}
	if !web.ReadJSON(w, r, &input) {
		return
	}
	token, user, err := s.Staff.LogIn(r.Context(), staff.Credentials{
		Email: input.Email, Password: input.Password, Code: input.Code, Caller: web.Client(r),
	})
	switch {
	case errors.Is(err, staff.ErrRefused):
		w.Header().Set("WWW-Authenticate", "Bearer")
		tenanthttp.Problem{
			Status: http.StatusUnauthorized,
			Detail: "The address, the password or the one-time code is wrong.",
		}.Respond(
			w,
		)
	case errors.Is(err, staff.ErrThrottled):
		tenanthttp.Problem{
			Status:     http.StatusTooManyRequests,
			Detail:     "There were too many attempts.",
			RetryAfter: time.Minute,
		}.Respond(
			w,
		)
	case err != nil:
		s.Broken(w, r, err)
	default:
		web.SetCookie(w, r, staff.Cookie, token, staff.SessionTTL)
		web.WriteJSON(w, http.StatusOK, struct {
			Token string   `json:"token"` // for Authorization: Bearer; a browser uses the cookie
			User  userJSON `json:"user"`
		}{token, userJSON{user.ID, user.Email, user.Name}})
	}
}

func (s *site) logOut(w http.ResponseWriter, r *http.Request) {
	if err := s.Staff.LogOut(r.Context(), sessions(r)); err != nil {
		s.Broken(w, r, err)
		return
	}
	web.ClearCookie(w, r, staff.Cookie)
	w.WriteHeader(http.StatusNoContent)
}

func (s *site) me(w http.ResponseWriter, r *http.Request) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: tenanthttp.ErrNoSession})
	})
	s.Staff.Require(sessions, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := staff.FromContext(r.Context())
		web.WriteJSON(w, http.StatusOK, userJSON{user.ID, user.Email, user.Name})
	}), refuse).ServeHTTP(w, r)
}
