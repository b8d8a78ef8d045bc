package tenanthttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// A session of one school is refused at another school.
func ExampleRequireSession() {
	p, done := schooltest.New()
	defer done()
	signer, err := tenanttoken.NewSigner([]byte("32 bytes that crypto/rand has made"))
	schooltest.Must(err)

	const cookie = "__Host-session"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { // after the password is verified
		token, err := signer.BindSession(r.Context(), "session 1 of Amara", 12*time.Hour)
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		http.SetCookie(
			w,
			&http.Cookie{Name: cookie, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode},
		)
	})
	mux.Handle("/", tenanthttp.RequireSession(signer, tenanthttp.CookieToken(cookie), http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			session, _ := tenanthttp.SessionFromContext(r.Context())
			fmt.Fprintln(w, session)
		},
	)))
	h := tenanthttp.Handler(p.Hosts, tenanthttp.Routes{Public: mux, Tenant: mux})

	login := httptest.NewRecorder()
	h.ServeHTTP(login, httptest.NewRequest(http.MethodGet, "https://schoola.example.com/login", nil))
	token := cookie + "=" + login.Result().Cookies()[0].Value

	schooltest.Ask(h, "https://schoola.example.com/", "Cookie", token)
	schooltest.Ask(h, "https://schoolb.example.com/", "Cookie", token)
	schooltest.Ask(h, "https://example.com/", "Cookie", token)
	schooltest.Ask(h, "https://schoola.example.com/", "Cookie", token+"x")
	schooltest.Ask(h, "https://schoola.example.com/")

	// Output:
	// 200 session 1 of Amara
	// 403 {"title":"Foreign session","status":403,"detail":"This session belongs to another site."}
	// 403 {"title":"Foreign session","status":403,"detail":"This session belongs to another site."}
	// 401 {"title":"Invalid session","status":401,"detail":"Sign in again."}
	// 401 {"title":"No session","status":401,"detail":"Sign in first."}
}
