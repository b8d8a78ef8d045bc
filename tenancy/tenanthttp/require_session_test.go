package tenanthttp_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

func signer(t testing.TB) *tenanttoken.Signer {
	t.Helper()
	s, err := tenanttoken.NewSigner(bytes.Repeat([]byte{'k'}, tenanttoken.MinKeyLen))
	require.NoError(t, err)
	return s
}

// Attack 44: a token of one host is replayed on the others, through a server.
func TestASessionReplayedOnAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	s := signer(t)
	site := func(source tenanthttp.TokenSource) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
			token, err := s.BindSession(r.Context(), "session", time.Hour)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = io.WriteString(w, token)
		})
		mux.Handle("/", tenanthttp.RequireSession(s, source, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := tenanthttp.SessionFromContext(r.Context())
			_, _ = io.WriteString(w, session)
		})))
		return mux
	}
	hosts := byHost{
		"a.example.com": tenanthttp.TenantTarget(active(1, "a")), "a2.example.com": tenanthttp.TenantTarget(active(1, "a")),
		"b.example.com": tenanthttp.TenantTarget(active(2, "b")), "example.com": tenanthttp.PublicTarget(),
	}
	for name, c := range map[string]struct {
		source tenanthttp.TokenSource
		put    func(r *http.Request, token string)
	}{
		"cookie": {tenanthttp.CookieToken("session"), func(r *http.Request, token string) {
			r.AddCookie(&http.Cookie{Name: "session", Value: token})
		}},
		"bearer": {
			tenanthttp.BearerToken(),
			func(r *http.Request, token string) { r.Header.Add("Authorization", "bearer "+token) },
		},
	} {
		server := httptest.NewServer(
			tenanthttp.Handler(hosts, tenanthttp.Routes{Public: site(c.source), Tenant: site(c.source)}),
		)
		t.Cleanup(server.Close)
		do := func(method, path, host string, tokens ...string) (int, string) {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
			require.NoError(t, err)
			r.Host = host
			for _, token := range tokens {
				c.put(r, token)
			}
			res, err := server.Client().Do(r)
			require.NoError(t, err)
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			if res.StatusCode == http.StatusUnauthorized {
				assert.NotEmpty(t, res.Header.Get("WWW-Authenticate"), "%s: 401 without a challenge", name)
			}
			return res.StatusCode, string(body)
		}
		tokens := map[string]string{}
		for host := range hosts {
			_, tokens[host] = do("POST", "/login", host)
		}
		same := func(a, b string) bool {
			return hosts[a].Public() == hosts[b].Public() && (hosts[a].Public() || hosts[a].Tenant().ID == hosts[b].Tenant().ID)
		}
		for made, token := range tokens {
			for host := range hosts {
				status, body := do("GET", "/", host, token)
				want := map[bool]int{true: 200, false: 403}[same(made, host)]
				assert.Equal(t, want, status, "%s of %s on %s: %d %s", name, made, host, status, body)
				assert.Equal(t, want == 200, body == "session", "%s of %s on %s: %d %s", name, made, host, status, body)
			}
		}
		a, b := tokens["a.example.com"], tokens["b.example.com"]
		expired, err := s.Sign(
			tenanttoken.Token{Purpose: tenanttoken.PurposeSession, Tenant: 1, Expires: time.Now().Add(-time.Second)},
		)
		require.NoError(t, err)
		job, err := s.Sign(tenanttoken.Token{Purpose: tenanttoken.PurposeJob, Tenant: 1})
		require.NoError(t, err)
		for what, want := range map[string]struct {
			tokens []string
			status int
		}{
			"none": {nil, 401}, "tampered": {[]string{a[:20] + "_" + a[21:]}, 401}, "nonsense": {[]string{"x"}, 401},
			"expired":                         {[]string{expired}, 401},
			"a job's":                         {[]string{job}, 401},
			"foreign after nonsense":          {[]string{"x", b}, 403},
			"tossed by another host":          {[]string{b, "x", a}, 200}, // a foreign cookie does not lock the user out
			"behind all that a browser keeps": {append(strings.Fields(strings.Repeat(b+" ", 180)), a), 200},
			"one too many":                    {append(strings.Fields(strings.Repeat("x ", 256)), a), 401},
		} {
			status, body := do("GET", "/", "a.example.com", want.tokens...)
			assert.Equal(t, want.status, status, "%s, %s: %d %s", name, what, status, body)
		}
	}
}
