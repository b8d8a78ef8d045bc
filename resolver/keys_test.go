package resolver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// ask sends a request through the handler. It returns the status and, if a site has answered, the
// site and the path.
func ask(t *testing.T, keys *resolver.Keys, url string, headers ...string) (int, string) {
	t.Helper()
	site := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tenant, ok := tenancy.FromContext(r.Context()); ok {
				name = tenant.Slug
			}
			_, _ = io.WriteString(w, name+" "+r.URL.EscapedPath()+" "+r.URL.Path)
		})
	}
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	before := *r.URL
	w := httptest.NewRecorder()
	tenanthttp.Handler(keys, tenanthttp.Routes{Public: site("public"), Tenant: site("")}).ServeHTTP(w, r)
	assert.True(t, *r.URL == before, "%s: the request was changed to %s", url, r.URL)
	if w.Code != http.StatusOK {
		return w.Code, ""
	}
	return w.Code, w.Body.String()
}

func TestSourcesMustAgree(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "a.example.com")
	f.tenant(t, "b", "b.example.com")
	d := f.directory(t, resolver.Config{PublicHosts: []string{"example.com"}})
	trouble := errors.New("no key")
	claim := resolver.Func(func(r *http.Request) (string, bool, error) {
		switch v := r.Header.Get("Claim"); v {
		case "":
			return "", false, nil
		case "forged":
			return "", false, tenanttoken.ErrBadToken
		case "trouble":
			return "", false, trouble
		default:
			return v, true, nil
		}
	}, d.ResolveID)
	strict := resolver.NewKeys(resolver.Host(d.Resolve), resolver.Header("x-tenant", d.ResolveSlug), claim)
	mixed := resolver.NewKeys(resolver.TenantHost(d.Resolve), resolver.PathPrefix("/t/", d.ResolveSlug), claim)
	header := resolver.NewKeys(resolver.Header("X-Tenant", d.ResolveSlug))
	for name, c := range map[string]struct {
		keys    *resolver.Keys
		url     string
		headers []string
		status  int
		body    string
	}{
		"host alone":      {strict, "http://a.example.com/x", nil, 200, "a /x /x"},
		"host and header": {strict, "http://a.example.com/x", []string{"X-Tenant", "a"}, 200, "a /x /x"},
		"host, header and claim": {
			strict, "http://a.example.com/x", []string{"X-Tenant", "a", "Claim", "1"}, 200, "a /x /x",
		},
		"public":                     {strict, "http://example.com/x", nil, 200, "public /x /x"},
		"header against host":        {strict, "http://a.example.com/x", []string{"X-Tenant", "b"}, 400, ""},
		"claim against the rest":     {strict, "http://a.example.com/x", []string{"X-Tenant", "a", "Claim", "2"}, 400, ""},
		"header on public":           {strict, "http://example.com/x", []string{"X-Tenant", "a"}, 400, ""},
		"unknown header":             {strict, "http://a.example.com/x", []string{"X-Tenant", "nobody"}, 404, ""},
		"unknown host, known header": {strict, "http://c.example.com/x", []string{"X-Tenant", "a"}, 404, ""},
		"no host, known header":      {strict, "http://1.2.3/x", []string{"X-Tenant", "a"}, 400, ""},
		"empty header":               {strict, "http://a.example.com/x", []string{"X-Tenant", ""}, 404, ""},
		"list in a header":           {strict, "http://a.example.com/x", []string{"X-Tenant", "a, b"}, 404, ""},
		"header twice": {
			strict, "http://a.example.com/x", []string{"X-Tenant", "a", "x-tenant", "a"}, 400, "",
		},
		"forged claim":                {strict, "http://a.example.com/x", []string{"Claim", "forged"}, 401, ""},
		"trouble with claims":         {strict, "http://a.example.com/x", []string{"Claim", "trouble"}, 503, ""},
		"claim of no id":              {strict, "http://a.example.com/x", []string{"Claim", "01"}, 404, ""},
		"path on public":              {mixed, "http://example.com/t/a/x", nil, 200, "a /x /x"},
		"path alone":                  {mixed, "http://example.com/t/a", nil, 200, "a / /"},
		"path with slash":             {mixed, "http://example.com/t/a/", nil, 200, "a / /"},
		"path and host":               {mixed, "http://a.example.com/t/a/x", nil, 200, "a /x /x"},
		"path against host":           {mixed, "http://b.example.com/t/a/x", nil, 400, ""},
		"path against claim":          {mixed, "http://example.com/t/a/x", []string{"Claim", "2"}, 400, ""},
		"claim on public":             {mixed, "http://example.com/x", []string{"Claim", "2"}, 200, "b /x /x"},
		"public without more":         {mixed, "http://example.com/x", nil, 200, "public /x /x"},
		"almost the prefix":           {mixed, "http://example.com/t", nil, 200, "public /t /t"},
		"the prefix later":            {mixed, "http://example.com/x/t/a", nil, 200, "public /x/t/a /x/t/a"},
		"another case":                {mixed, "http://example.com/T/a/", nil, 200, "public /T/a/ /T/a/"},
		"unknown path":                {mixed, "http://example.com/t/nobody/x", nil, 404, ""},
		"path of nothing":             {mixed, "http://example.com/t/", nil, 404, ""},
		"path of nothing, and more":   {mixed, "http://example.com/t//a/x", nil, 404, ""},
		"dots":                        {mixed, "http://example.com/t/../a/x", nil, 404, ""},
		"escaped slug":                {mixed, "http://example.com/t/%61/x", nil, 404, ""},
		"escaped slash in the slug":   {mixed, "http://example.com/t/a%2Fx", nil, 404, ""},
		"escaped slash in the prefix": {mixed, "http://example.com/t%2Fa/x", nil, 404, ""},
		"escaped slash in the rest":   {mixed, "http://example.com/t/a/x%2Fy", nil, 200, "a /x%2Fy /x/y"},
		"prefix twice":                {mixed, "http://example.com/t/a/t/b", nil, 200, "a /t/b /t/b"},
		"path on an unknown host":     {mixed, "http://c.example.com/t/a/x", nil, 404, ""},
		"header alone":                {header, "http://a.example.com/x", []string{"X-Tenant", "b"}, 200, "b /x /x"},
		"none":                        {header, "http://a.example.com/x", nil, 404, ""},
	} {
		status, body := ask(t, c.keys, c.url, c.headers...)
		assert.Equal(t, c.status, status, "%s: %d %q, want %d %q", name, status, body, c.status, c.body)
		assert.Equal(t, c.body, body, name)
	}
}

// Two different Tenant values with the same ID agree.
func TestSourcesAgreeOnATenantReadTwice(t *testing.T) {
	t.Parallel()
	lookup := func(id int64, slug string) resolver.Lookup {
		return func(context.Context, string) (tenanthttp.Target, error) {
			return tenanthttp.TenantTarget(&tenancy.Tenant{ID: id, Slug: slug}), nil
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	target, _, err := resolver.NewKeys(resolver.Host(lookup(1, "old")), resolver.Host(lookup(1, "new"))).ResolveRequest(r)
	require.NoError(t, err)
	assert.Equal(t, "new", target.Tenant().Slug)
	_, _, err = resolver.NewKeys(resolver.Host(lookup(1, "a")), resolver.Host(lookup(2, "a"))).ResolveRequest(r)
	assert.ErrorIs(t, err, tenancy.ErrAmbiguousTenant)
}

func TestKeysFailClosed(t *testing.T) {
	t.Parallel()
	forgetful := resolver.Host(
		func(context.Context, string) (tenanthttp.Target, error) { return tenanthttp.Target{}, nil },
	)
	keys := resolver.NewKeys(forgetful)
	target, _, err := keys.ResolveRequest(httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Error(t, err, "%+v, %v", target, err)
	assert.True(t, target == (tenanthttp.Target{}), "%+v, %v", target, err)
	target, err = keys.Resolve(t.Context(), "a.example.com")
	assert.Error(t, err, "%+v, %v", target, err)
	assert.True(t, target == (tenanthttp.Target{}), "%+v, %v", target, err)
	for name, wrong := range map[string]func(){
		"no source":        func() { resolver.NewKeys() },
		"no header":        func() { resolver.Header("", nil) },
		"host as a header": func() { resolver.Header("host", nil) },
		"no header's name": func() { resolver.Header("X Tenant:", nil) },
		"prefix not ended": func() { resolver.PathPrefix("/t", nil) },
		"prefix escaped":   func() { resolver.PathPrefix("/a b/", nil) },
		"relative prefix":  func() { resolver.PathPrefix("t/", nil) },
	} {
		func() {
			defer func() {
				assert.True(t, recover() != nil, "%s: no panic", name)
			}()
			wrong()
		}()
	}
}
