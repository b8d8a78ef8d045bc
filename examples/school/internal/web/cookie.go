package web

import (
	"net/http"
	"time"
)

// hostPrefix is the prefix of cookies over TLS. A browser accepts such a cookie only from the host
// itself. Without it, the host of one school could set a cookie for all others.
const hostPrefix = "__Host-"

// CookieName returns the name of a cookie on the connection of r.
func CookieName(r *http.Request, name string) string {
	if r.TLS != nil {
		return hostPrefix + name
	}
	return name
}

// SetCookie sets a cookie for the host of r. Scripts cannot read it, and requests that other sites
// start do not send it, except for links. It expires after ttl; with ttl 0, when the browser is
// closed.
func SetCookie(w http.ResponseWriter, r *http.Request, name, value string, ttl time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName(r, name), Value: value, Path: "/", MaxAge: int(ttl.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

// ClearCookie deletes a cookie.
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

// maxCookies bounds the cookies of a name that are read. It is more than a browser keeps for a
// domain with all its hosts, so that another host cannot hide the valid cookie behind its own.
const maxCookies = 256

// Cookies returns the values of all cookies of r with the name. There can be several, because
// another host of the same domain can set one for all hosts. Callers must skip the invalid ones, so
// that such a cookie does not lock users out.
func Cookies(r *http.Request, name string) (values []string) {
	named := r.CookiesNamed(CookieName(r, name))
	for _, c := range named[:min(len(named), maxCookies)] {
		values = append(values, c.Value)
	}
	return values
}
