package web

import (
	"errors"
	"net/http"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// policy allows a page to load the style sheet and images of its own host and to post forms to it.
// It forbids everything else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; " +
	"base-uri 'none'"

// Headers sets the security headers on each response of next. Browsers must not cache a page, so
// that the next user of a shared machine does not see it.
func Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// errUnknownOrigin is the reason to refuse a form whose headers do not say where it was sent from.
var errUnknownOrigin = errors.New("request does not say where it comes from")

// SameOrigin serves a request that may change something only if it comes from a page of the same
// host. No other site and no other school can then post a form as the logged-in user. Browsers send
// the origin in Sec-Fetch-Site or Origin. A request with neither is refused if it has a cookie:
// only programs omit both, and they need no cookie.
func SameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := protection.Check(r)
		if err == nil && unsafe(r) && r.Header.Get("Cookie") != "" && r.Header.Get("Sec-Fetch-Site") == "" &&
			r.Header.Get("Origin") == "" {
			err = errUnknownOrigin
		}
		if err != nil {
			tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: err, Problem: tenanthttp.Problem{
				Status: http.StatusForbidden, Title: "Foreign form", Detail: "This request does not come from a page of this site.",
			}})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// unsafe reports whether the request may change something.
func unsafe(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}
