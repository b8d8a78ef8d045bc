package tenancy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// A session of one school does not open another one's doors.
func ExampleSigner_BindSession() {
	p, done := newPlatform()
	defer done()
	signer, err := tenancy.NewSigner([]byte("32 bytes that crypto/rand has made"))
	orPanic(err)

	const cookie = "__Host-session"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { // after the password was right
		token, err := signer.BindSession(r.Context(), "session 1 of Amara", 12*time.Hour)
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: cookie, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	})
	mux.Handle("/", tenancy.RequireSession(signer, tenancy.CookieToken(cookie), http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			session, _ := tenancy.SessionFromContext(r.Context())
			fmt.Fprintln(w, session)
		},
	)))
	h := tenancy.Handler(p.Hosts, tenancy.Routes{Public: mux, Tenant: mux})

	login := httptest.NewRecorder()
	h.ServeHTTP(login, httptest.NewRequest(http.MethodGet, "https://schoola.example.com/login", nil))
	token := cookie + "=" + login.Result().Cookies()[0].Value

	ask(h, "https://schoola.example.com/", "Cookie", token)
	ask(h, "https://schoolb.example.com/", "Cookie", token)
	ask(h, "https://example.com/", "Cookie", token)
	ask(h, "https://schoola.example.com/", "Cookie", token+"x")
	ask(h, "https://schoola.example.com/")

	// Output:
	// 200 session 1 of Amara
	// 403 {"title":"Foreign session","status":403,"detail":"This session belongs to another site."}
	// 403 {"title":"Foreign session","status":403,"detail":"This session belongs to another site."}
	// 401 {"title":"Invalid session","status":401,"detail":"Sign in again."}
	// 401 {"title":"No session","status":401,"detail":"Sign in first."}
}
