package web

import (
	"cmp"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Refusals returns the function of [tenanthttp.Routes] that answers refused requests. A browser
// gets a page, and a program gets the problem details. A browser without a session at a school is
// redirected to the login.
func Refusals(
	signer *tenanttoken.Signer,
	logger *slog.Logger,
) (func(w http.ResponseWriter, r *http.Request, refusal tenanthttp.Refusal), error) {
	renderer, err := NewRenderer(files, signer, logger)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request, refusal tenanthttp.Refusal) {
		switch {
		case !forPeople(r):
			refusal.Problem.Respond(w)
		case refusal.Problem.Status == http.StatusUnauthorized && refusal.Tenant != nil:
			w.Header().Del("WWW-Authenticate") // the login page asks for the password, not the browser
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		default:
			renderer.refuse(w, r, refusal)
		}
	}, nil
}

// forPeople reports whether the answer is for a browser.
func forPeople(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.URL.Path, "/api/")
}

func (rd *Renderer) refuse(w http.ResponseWriter, r *http.Request, refusal tenanthttp.Refusal) {
	problem := refusal.Problem
	page := Page{
		Title: cmp.Or(
			problem.Title,
			http.StatusText(problem.Status),
		),
		Site:   "Schools",
		Where:  r.Host,
		Accent: "accent-platform",
		Data:   problem.Detail,
	}
	if t := refusal.Tenant; t != nil && problem.Status != http.StatusNotFound { // a school that is gone has no name
		page.Site, page.Accent = t.Name, Accent(t.Slug)
	}
	if problem.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((problem.RetryAfter+time.Second-1)/time.Second), 10))
	}
	Headers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rd.Render(w, r, problem.Status, "refused", page)
	})).ServeHTTP(w, r)
}
