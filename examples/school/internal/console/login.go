package console

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/examples/school/internal/web"
)

func tokens(r *http.Request) []string { return web.Cookies(r, staff.Cookie) }

// login is the page for a visitor who is not logged in.
type login struct {
	Email, Next, Wrong string
}

func (c *console) askLogin(w http.ResponseWriter, r *http.Request) {
	c.Render(w, r, http.StatusOK, "login", c.page(r, "Log in", login{Next: r.URL.Query().Get("next")}))
}

// goLogIn redirects to the login page. After the login the browser returns to the requested page.
func (c *console) goLogIn(w http.ResponseWriter, r *http.Request) {
	to := "/admin/login"
	if r.Method == http.MethodGet && r.URL.Path != "/admin/" {
		to += "?next=" + url.QueryEscape(r.URL.Path)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (c *console) logIn(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	token, _, err := c.Staff.LogIn(r.Context(), staff.Credentials{
		Email: form.Text("email"), Password: form.Secret("password"), Code: form.Text("code"), Caller: web.Client(r),
	})
	again := login{Email: form.Text("email"), Next: form.Text("next")}
	switch {
	case errors.Is(err, staff.ErrRefused):
		again.Wrong = "The address, the password or the one-time code is wrong, or the code was used before. " +
			"There is a new code every 30 seconds."
		c.Render(w, r, http.StatusUnauthorized, "login", c.page(r, "Log in", again))
	case errors.Is(err, staff.ErrThrottled):
		again.Wrong = "Too many attempts. Wait a minute."
		w.Header().Set("Retry-After", "60")
		c.Render(w, r, http.StatusTooManyRequests, "login", c.page(r, "Log in", again))
	case err != nil:
		c.Broken(w, r, err)
	default:
		web.SetCookie(w, r, staff.Cookie, token, staff.SessionTTL)
		http.Redirect(w, r, inside(again.Next), http.StatusSeeOther)
	}
}

// inside returns next if it is a path of the console, and otherwise /admin/, so that a login cannot
// redirect to another site.
func inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/admin/") ||
		strings.Contains(u.Path, "\\") {
		return "/admin/"
	}
	if !strings.HasPrefix(path.Clean(u.Path)+"/", "/admin/") { // a redirect resolves ".." segments
		return "/admin/"
	}
	return u.EscapedPath()
}

func (c *console) logOut(w http.ResponseWriter, r *http.Request) {
	if err := c.Staff.LogOut(r.Context(), tokens(r)); err != nil {
		c.Broken(w, r, err)
		return
	}
	web.ClearCookie(w, r, staff.Cookie)
	c.Redirect(w, r, "/admin/login", web.Flash{Text: "You are logged out."})
}
