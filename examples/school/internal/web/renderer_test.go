package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

func newRenderer(t *testing.T) *Renderer {
	t.Helper()
	signer, err := tenanttoken.NewSigner(bytes.Repeat([]byte("k"), tenanttoken.MinKeyLen))
	require.NoError(t, err)
	k, err := NewRenderer(fstest.MapFS{
		"page.html":   {Data: []byte(`{{define "main"}}<p>{{.}}</p>{{end}}`)},
		"broken.html": {Data: []byte(`{{define "main"}}half{{.Nothing}}{{end}}`)},
	}, signer, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return k
}

// on returns a request on the site of the tenant with the id, or on the platform's site for 0.
func on(id int64, method string) *http.Request {
	r := httptest.NewRequest(method, "http://school.localhost/", nil)
	if id == 0 {
		return r.WithContext(tenancy.NewPublicContext(r.Context()))
	}
	return r.WithContext(tenancy.NewContext(r.Context(), &tenancy.Tenant{ID: id, Schema: "tenant_1", Slug: "a"}))
}

func TestFlashIsShownOnceAndOnItsOwnSite(t *testing.T) {
	t.Parallel()
	rd := newRenderer(t)
	w := httptest.NewRecorder()
	rd.Redirect(w, on(1, http.MethodPost), "/next", Flash{Text: "Done <b>so</b>", Secret: "token"})
	assert.Equal(t, 303, w.Code, w.Header())
	assert.Equal(t, "/next", w.Header().Get("Location"), w.Header())
	shown := func(id int64, cookie *http.Cookie) (string, bool) {
		r, w := on(id, http.MethodGet), httptest.NewRecorder()
		r.AddCookie(cookie)
		rd.Render(w, r, 200, "page", Page{Data: "x"})
		cleared := len(w.Result().Cookies()) == 1 && w.Result().Cookies()[0].MaxAge < 0
		return w.Body.String(), cleared
	}
	cookie := w.Result().Cookies()[0]
	body, cleared := shown(1, cookie)
	assert.Contains(t, body, "Done &lt;b&gt;so", "cleared %v", cleared)
	assert.Contains(t, body, "token", "cleared %v", cleared)
	assert.True(t, cleared, "cleared %v: %s", cleared, body)
	for id, name := range map[int64]string{0: "the platform's site", 2: "another school"} {
		body, _ := shown(id, cookie)
		assert.NotContains(t, body, "Done", "%s shows it", name)
	}
	cookie.Value = "forged"
	body, _ = shown(1, cookie)
	assert.NotContains(t, body, "flash", "a forged message is shown")
}

func TestPageIsCompleteOrAnError(t *testing.T) {
	t.Parallel()
	rd, w := newRenderer(t), httptest.NewRecorder()
	rd.Render(w, on(0, http.MethodGet), 200, "broken", Page{Data: "text"})
	assert.Equal(t, 503, w.Code, w.Body)
	assert.NotContains(t, w.Body.String(), "half", w.Body)
}

// Over TLS a cookie has the prefix that keeps other hosts from setting it.
func TestCookiesAreForTheHostAlone(t *testing.T) {
	t.Parallel()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://school.example/", nil)
	SetCookie(w, r, "staff", "v", time.Hour)
	set := w.Header().Get("Set-Cookie")
	for _, want := range []string{"__Host-staff=v", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"} {
		assert.Contains(t, set, want, "%s lacks", set)
	}
	assert.NotContains(t, set, "Domain")
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	served := SameOrigin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for name, c := range map[string]struct {
		method string
		header http.Header
		want   int
	}{
		"own page":              {"POST", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Cookie": {"a=b"}}, 200},
		"own page, old browser": {"POST", http.Header{"Origin": {"http://school.localhost"}, "Cookie": {"a=b"}}, 200},
		"program":               {"POST", http.Header{}, 200},
		"reading":               {"GET", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Cookie": {"a=b"}}, 200},
		"another site":          {"POST", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		"another school":        {"POST", http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		"another origin":        {"POST", http.Header{"Origin": {"http://other.localhost"}}, 403},
		"null origin":           {"POST", http.Header{"Origin": {"null"}}, 403},
		"says nothing":          {"POST", http.Header{"Cookie": {"a=b"}}, 403},
	} {
		r, w := on(0, c.method), httptest.NewRecorder()
		r.Header = c.header
		served.ServeHTTP(w, r)
		assert.Equal(t, c.want, w.Code, name)
	}
}

func TestEveryPageHasThePolicy(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Headers(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, on(0, http.MethodGet))
	for header, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; " +
			"frame-ancestors 'none'; base-uri 'none'",
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		assert.Equal(t, want, w.Header().Get(header), header)
	}
}
