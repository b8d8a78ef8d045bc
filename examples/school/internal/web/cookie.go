package web

import (
	"net/http"
	"time"
)

// Over TLS a cookie has the prefix with which a browser takes it from this host alone: without, the
// host of one school could set one for all others.
const hostPrefix = "__Host-"

// CookieName is what a cookie is called on the connection of r.
func CookieName(r *http.Request, name string) string {
	if r.TLS != nil {
		return hostPrefix + name
	}
	return name
}

// SetCookie has the browser keep a value for the host of r, away from scripts and from requests
// that other sites begin, until ttl is over; 0: until it is closed.
func SetCookie(w http.ResponseWriter, r *http.Request, name, value string, ttl time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName(r, name), Value: value, Path: "/", MaxAge: int(ttl.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

// ClearCookie has the browser forget it.
func ClearCookie(w http.ResponseWriter, r *http.Request, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName(
			r,
			name,
		),
		Path:     "/",
		MaxAge:   -1,
		HttpOnly: true,
		Secure:   r.TLS != nil,
		SameSite: http.SameSiteLaxMode,
	})
}

// maxCookies bounds the work that a request can ask for. It is more than the cookies that a browser
// keeps for a domain with all its hosts, so that another host cannot set so many that the good one
// is not looked at.
const maxCookies = 256

// Cookies returns the values of all cookies of the name that r brings. There may be several, as
// another host below the same domain can set one for all of them: what was not made here has to be
// passed over, and nobody locked out by it.
func Cookies(r *http.Request, name string) (values []string) {
	named := r.CookiesNamed(CookieName(r, name))
	for _, c := range named[:min(len(named), maxCookies)] {
		values = append(values, c.Value)
	}
	return values
}
