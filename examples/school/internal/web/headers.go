package web

import (
	"errors"
	"net/http"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// policy lets a page have the style sheet and images of its own host, post forms to it, and nothing
// else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Headers tells the browser, on each response of next, what it may do with it. Nothing is kept:
// what one person has seen on a shared machine, the next one does not find in its cache.
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

// errUnknownOrigin is the reason to refuse a form of which no header says where it was.
var errUnknownOrigin = errors.New("request does not say where it comes from")

// SameOrigin serves what changes something only where it comes from a page of the same host: no
// other site, and no other school's, can post a form in the name of whoever is logged in here.
// Browsers say where a request comes from, in Sec-Fetch-Site or Origin; one that says nothing is
// refused if it has a cookie, as only programs say nothing, and those need none.
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
