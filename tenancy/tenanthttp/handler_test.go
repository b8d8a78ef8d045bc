package tenanthttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// byHost resolves hosts from a map; other hosts are unknown.
type byHost map[string]tenanthttp.Target

func (m byHost) Resolve(_ context.Context, host string) (tenanthttp.Target, error) {
	name, err := tenancy.NormalizeHost(host)
	if err != nil {
		return tenanthttp.Target{}, err
	}
	target, ok := m[name]
	if !ok {
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	}
	return target, nil
}

// say answers with the name of the site and the values of the context.
func say(site string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		schema, _ := schemactx.FromContext(r.Context())
		slug := ""
		if t, ok := tenancy.FromContext(r.Context()); ok {
			slug = t.Slug
		}
		_, _ = w.Write([]byte(site + " " + schema + " " + slug))
	})
}

func get(h http.Handler, host string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "/api/students/", nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestHandlerRoutesByHost(t *testing.T) {
	t.Parallel()
	target := func(status tenancy.Status) tenanthttp.Target {
		return tenanthttp.TenantTarget(&tenancy.Tenant{Schema: "tenant_1", Slug: "a", Status: status})
	}
	h := tenanthttp.Handler(byHost{
		"example.com":             tenanthttp.PublicTarget(),
		"a.example.com":           target(tenancy.Active),
		"suspended.example.com":   target(tenancy.Suspended),
		"maintenance.example.com": target(tenancy.Maintenance),
		"new.example.com":         target(tenancy.Provisioning),
		"dropping.example.com":    target(tenancy.Dropping),
		"future.example.com":      target("frozen"),
		"forgetful.example.com":   {},
	}, tenanthttp.Routes{Public: say("public"), Tenant: say("tenant")})

	for host, body := range map[string]string{
		"example.com":        "public public ",
		"Example.com.:8000":  "public public ",
		"a.example.com":      "tenant tenant_1 a",
		"A.EXAMPLE.COM:8000": "tenant tenant_1 a",
	} {
		res := get(h, host)
		got := make([]byte, 100)
		n, _ := res.Body.Read(got)
		assert.Equal(t, http.StatusOK, res.StatusCode, host)
		assert.Equal(t, body, string(got[:n]), host)
	}
	for host, status := range map[string]int{
		"nosuch.example.com": 404, "dropping.example.com": 404, "future.example.com": 404,
		"bad host": 400, "..": 400, "": 400,
		"suspended.example.com":   403,
		"maintenance.example.com": 503, "new.example.com": 503, "forgetful.example.com": 503,
	} {
		expectProblem(t, host, get(h, host), status)
	}
}

func TestHandlerIgnoresForwardedHeadersByDefault(t *testing.T) {
	t.Parallel()
	h := tenanthttp.Handler(
		byHost{"a.example.com": tenanthttp.TenantTarget(&tenancy.Tenant{Schema: "tenant_1", Status: tenancy.Active})},
		tenanthttp.Routes{Tenant: say("tenant")},
	)
	r := httptest.NewRequest(http.MethodGet, "http://nosuch.example.com/", nil)
	r.Header.Set("X-Forwarded-Host", "a.example.com")
	r.Header.Set("Forwarded", "host=a.example.com")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	expectProblem(t, "forwarded", w.Result(), http.StatusNotFound)
}

// byHeader resolves by a header only, and removes it. It refuses a request with more than one.
type byHeader struct{ byHost }

func (b byHeader) ResolveRequest(r *http.Request) (tenanthttp.Target, *http.Request, error) {
	hosts := r.Header.Values("X-Site")
	if len(hosts) != 1 {
		return tenanthttp.Target{}, nil, fmt.Errorf("header: %w", tenancy.ErrAmbiguousTenant)
	}
	target, err := b.Resolve(r.Context(), hosts[0])
	served := r.Clone(r.Context())
	served.Header.Del("X-Site")
	return target, served, err
}

func TestHandlerPassesTheRequestToARequestResolver(t *testing.T) {
	t.Parallel()
	a := tenanthttp.TenantTarget(&tenancy.Tenant{Schema: "tenant_1", Slug: "a", Status: tenancy.Active})
	var seen string
	h := tenanthttp.Handler(byHeader{byHost{"a.example.com": a}}, tenanthttp.Routes{Tenant: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			seen = r.Header.Get("X-Site")
			say("tenant").ServeHTTP(w, r)
		})})
	serve := func(sites ...string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, "http://a.example.com/", nil)
		r.Header["X-Site"] = sites
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := r.Header.Values("X-Site")
		assert.Len(t, got, len(sites), "the caller's request has the header %q", got)
		return w.Result()
	}
	body, err := io.ReadAll(serve("a.example.com").Body)
	require.NoError(t, err)
	assert.Equal(t, "tenant tenant_1 a", string(body), "%q, header %q", body, seen)
	assert.Empty(t, seen, "%q, header", body)
	expectProblem(t, "none", serve(), http.StatusBadRequest)
	expectProblem(t, "two", serve("a.example.com", "a.example.com"), http.StatusBadRequest)
	expectProblem(t, "unknown, on a known host", serve("b.example.com"), http.StatusNotFound)
}

func TestHandlerWithoutRoutes(t *testing.T) {
	t.Parallel()
	h := tenanthttp.Handler(byHost{
		"example.com":   tenanthttp.PublicTarget(),
		"a.example.com": tenanthttp.TenantTarget(&tenancy.Tenant{Schema: "tenant_1", Status: tenancy.Active}),
	}, tenanthttp.Routes{})
	for _, host := range []string{"example.com", "a.example.com"} {
		expectProblem(t, host, get(h, host), http.StatusNotFound)
	}
}

func TestHandlerHidesResolverErrorsFromClients(t *testing.T) {
	t.Parallel()
	h := tenanthttp.Handler(tenanthttp.ResolverFunc(func(context.Context, string) (tenanthttp.Target, error) {
		return tenanthttp.Target{}, errors.New("password=hunter2")
	}), tenanthttp.Routes{Tenant: say("tenant")})
	p := expectProblem(t, "a.example.com", get(h, "a.example.com"), http.StatusServiceUnavailable)
	assert.NotEmpty(t, p.Detail, "problem %+v", p)
	assert.NotEmpty(t, p.Title, "problem %+v", p)
	assert.NotEqual(t, "password=hunter2", p.Detail, "problem %+v", p)
}

func expectProblem(t *testing.T, host string, res *http.Response, status int) tenanthttp.Problem {
	t.Helper()
	var p tenanthttp.Problem
	assert.NoError(t, json.NewDecoder(res.Body).Decode(&p), "%q: body is no JSON", host)
	assert.Equal(t, status, res.StatusCode, "%q: status %d, problem %+v", host, res.StatusCode, p)
	assert.Equal(t, status, p.Status, "%q: status %d, problem %+v", host, res.StatusCode, p)
	assert.NotEmpty(t, p.Title, "%q: status %d, problem %+v", host, res.StatusCode, p)
	ct := res.Header.Get("Content-Type")
	assert.Equal(t, "application/problem+json", ct, "%q: content type %q", host, ct)
	if status == http.StatusServiceUnavailable {
		assert.NotEmpty(t, res.Header.Get("Retry-After"), "%q: no Retry-After", host)
	}
	return p
}
