package tenancy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

func TestASessionHoldsForOneSite(t *testing.T) {
	t.Parallel()
	s := signer(t)
	sites := map[string]context.Context{
		"a":      tenancy.NewContext(t.Context(), active(1, "a")),
		"b":      tenancy.NewContext(t.Context(), active(2, "b")),
		"public": tenancy.NewPublicContext(t.Context()),
	}
	for made, ctx := range sites {
		token, err := s.BindSession(ctx, "session of "+made, time.Hour)
		check(t, err)
		for opened, ctx := range sites {
			session, err := s.OpenSession(ctx, token)
			switch {
			case made == opened && (err != nil || session != "session of "+made):
				t.Errorf("%s: %q, %v", made, session, err)
			case made != opened && (!errors.Is(err, tenancy.ErrForeignTenant) || session != ""):
				t.Errorf("made for %s, opened for %s: %q, %v", made, opened, session, err)
			}
		}
	}
}

// A schema can be given to another tenant's name and a slug can be given out again; an ID cannot.
func TestASessionIsBoundToTheIDAlone(t *testing.T) {
	t.Parallel()
	s := signer(t)
	token, err := s.BindSession(tenancy.NewContext(t.Context(), active(1, "a")), "s", 0)
	check(t, err)
	_, err = s.OpenSession(tenancy.NewContext(t.Context(), active(1, "renamed")), token)
	check(t, err)
	_, err = s.OpenSession(tenancy.NewContext(t.Context(), active(2, "a")), token)
	expectIs(t, err, tenancy.ErrForeignTenant)
}

func TestASessionNeedsASite(t *testing.T) {
	t.Parallel()
	s := signer(t)
	token, err := s.BindSession(tenancy.NewPublicContext(t.Context()), "s", 0)
	check(t, err)
	for name, ctx := range map[string]context.Context{
		"no site":           t.Context(),
		"the public schema": schemactx.NewPublicContext(t.Context()), // system work is no site
		"no ID":             tenancy.NewContext(t.Context(), active(0, "a")),
	} {
		if _, err := s.BindSession(ctx, "s", 0); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("bind, %s: %v", name, err)
		}
		if _, err := s.OpenSession(ctx, token); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("open, %s: %v", name, err)
		}
	}
	var field *tenancy.FieldError
	if _, err := s.BindSession(tenancy.NewPublicContext(t.Context()), "s", -1); !errors.As(err, &field) {
		t.Errorf("negative ttl: %v", err)
	}
}

// Attack 44: what was given out on one host is replayed on the others, through a server.
func TestASessionReplayedOnAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	s := signer(t)
	site := func(source tenancy.TokenSource) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
			token, err := s.BindSession(r.Context(), "session", time.Hour)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = io.WriteString(w, token)
		})
		mux.Handle("/", tenancy.RequireSession(s, source, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := tenancy.SessionFromContext(r.Context())
			_, _ = io.WriteString(w, session)
		})))
		return mux
	}
	hosts := byHost{
		"a.example.com": tenancy.TenantTarget(active(1, "a")), "a2.example.com": tenancy.TenantTarget(active(1, "a")),
		"b.example.com": tenancy.TenantTarget(active(2, "b")), "example.com": tenancy.PublicTarget(),
	}
	for name, c := range map[string]struct {
		source tenancy.TokenSource
		put    func(r *http.Request, token string)
	}{
		"cookie": {tenancy.CookieToken("session"), func(r *http.Request, token string) {
			r.AddCookie(&http.Cookie{Name: "session", Value: token})
		}},
		"bearer": {tenancy.BearerToken(), func(r *http.Request, token string) { r.Header.Add("Authorization", "bearer "+token) }},
	} {
		server := httptest.NewServer(tenancy.Handler(hosts, tenancy.Routes{Public: site(c.source), Tenant: site(c.source)}))
		t.Cleanup(server.Close)
		do := func(method, path, host string, tokens ...string) (int, string) {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
			check(t, err)
			r.Host = host
			for _, token := range tokens {
				c.put(r, token)
			}
			res, err := server.Client().Do(r)
			check(t, err)
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			check(t, err)
			if res.StatusCode == http.StatusUnauthorized && res.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: 401 without a challenge", name)
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
				if want := map[bool]int{true: 200, false: 403}[same(made, host)]; status != want || (want == 200) != (body == "session") {
					t.Errorf("%s of %s on %s: %d %s", name, made, host, status, body)
				}
			}
		}
		a, b := tokens["a.example.com"], tokens["b.example.com"]
		expired, err := s.Seal(tenancy.Token{Purpose: tenancy.PurposeSession, Tenant: 1, Expires: time.Now().Add(-time.Second)})
		check(t, err)
		job, err := s.Seal(tenancy.Token{Purpose: tenancy.PurposeJob, Tenant: 1})
		check(t, err)
		for what, want := range map[string]struct {
			tokens []string
			status int
		}{
			"none": {nil, 401}, "tampered": {[]string{a[:20] + "_" + a[21:]}, 401}, "nonsense": {[]string{"x"}, 401},
			"expired": {[]string{expired}, 401}, "a job's": {[]string{job}, 401}, "foreign after nonsense": {[]string{"x", b}, 403},
			"tossed by another host":          {[]string{b, "x", a}, 200}, // it cannot lock the user out
			"behind all that a browser keeps": {append(strings.Fields(strings.Repeat(b+" ", 180)), a), 200},
			"one too many":                    {append(strings.Fields(strings.Repeat("x ", 256)), a), 401},
		} {
			if status, body := do("GET", "/", "a.example.com", want.tokens...); status != want.status {
				t.Errorf("%s, %s: %d %s", name, what, status, body)
			}
		}
	}
}
