package web

import (
	"net/http"
	"time"
)

// Over TLS a cookie has the prefix with which a browser takes it from this host alone: without, the host of one school
// could set one for all others.
const hostPrefix = "__Host-"

// CookieName is what a cookie is called on the connection of r.
func CookieName(r *http.Request, name string) string {
	if r.TLS != nil {
		return hostPrefix + name
	}
	return name
}

// SetCookie has the browser keep a value for the host of r, away from scripts and from requests that other sites begin,
// until ttl is over; 0: until it is closed.
func SetCookie(w http.ResponseWriter, r *http.Request, name, value string, ttl time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName(r, name), Value: value, Path: "/", MaxAge: int(ttl.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

// ClearCookie has the browser forget it.
func ClearCookie(w http.ResponseWriter, r *http.Request, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName(r, name), Path: "/", MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

// Cookies returns the values of all cookies of the name that r brings.
func Cookies(r *http.Request, name string) (values []string) {
	for _, c := range r.CookiesNamed(CookieName(r, name)) {
		values = append(values, c.Value)
	}
	return values
}
