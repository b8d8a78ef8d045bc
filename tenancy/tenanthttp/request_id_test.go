package tenanthttp_test

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// requestID returns the id that the handler sees for r, and the id that is sent to the client.
func requestID(cfg tenanthttp.RequestIDConfig, r *http.Request) (seen, sent string) {
	w := httptest.NewRecorder()
	tenanthttp.RequestIDHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = tenanthttp.RequestID(r.Context())
	}), cfg).ServeHTTP(w, r)
	return seen, strings.Join(w.Header()["X-Request-Id"], ",")
}

func TestARequestIDIsKeptFromATrustedProxyOnly(t *testing.T) {
	t.Parallel()
	const header = "x-request-id"
	cfg := tenanthttp.RequestIDConfig{Proxies: behind(t, tenanthttp.XForwarded), New: func() string { return "made" }}
	for name, c := range map[string]struct {
		cfg  tenanthttp.RequestIDConfig
		r    *http.Request
		want string
	}{
		"from the proxy":            {cfg, from(proxy, header, "0198f3c2-aa"), "0198f3c2-aa"},
		"from an untrusted address": {cfg, from("203.0.113.1:4000", header, "0198f3c2-aa"), "made"},
		"no proxy is known":         {tenanthttp.RequestIDConfig{New: cfg.New}, from(proxy, header, "0198f3c2-aa"), "made"},
		"none":                      {cfg, from(proxy), "made"},
		"empty":                     {cfg, from(proxy, header, ""), "made"},
		"two":                       {cfg, from(proxy, header, "a", header, "b"), "made"},
		"a comment's end":           {cfg, from(proxy, header, "a*/drop"), "made"},
		"a line":                    {cfg, from(proxy, header, "a\nlevel=ERROR"), "made"},
		"other letters":             {cfg, from(proxy, header, "ä"), "made"},
		"a quote":                   {cfg, from(proxy, header, "a'"), "made"},
		"a space":                   {cfg, from(proxy, header, "a b"), "made"},
		"64 bytes":                  {cfg, from(proxy, header, strings.Repeat("a", 64)), strings.Repeat("a", 64)},
		"65 bytes":                  {cfg, from(proxy, header, strings.Repeat("a", 65)), "made"},
		"Amazon's load balancer": {
			cfg, from(proxy, header, "Root=1-67891233-abcdef012345678912345678"), "Root=1-67891233-abcdef012345678912345678",
		},
	} {
		seen, sent := requestID(c.cfg, c.r)
		assert.Equal(t, c.want, seen, "%s: handler saw %q, response has %q", name, seen, sent)
		assert.Equal(t, c.want, sent, "%s: handler saw %q, response has %q", name, seen, sent)
	}
}

func TestRequestIDsInAnotherHeader(t *testing.T) {
	t.Parallel()
	cfg := tenanthttp.RequestIDConfig{Proxies: behind(t, tenanthttp.XForwarded), Header: "x-correlation-ID"}
	w := httptest.NewRecorder()
	tenanthttp.RequestIDHandler(http.NotFoundHandler(), cfg).ServeHTTP(w, from(proxy, "X-Correlation-Id", "c1"))
	assert.Equal(t, "c1", w.Header().Get("X-Correlation-Id"), "response has")
}

func TestNewRequestIDsDiffer(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]tenanthttp.RequestIDConfig{
		"default": {}, "New makes nothing": {New: func() string { return "" }},
		"New makes what is not allowed": {New: func() string { return "a/b" }},
	} {
		seen := make(map[string]bool)
		for range 100 {
			id, _ := requestID(cfg, from(proxy))
			require.NoError(t, tenanthttp.ValidateRequestID(id))
			seen[id] = true
		}
		assert.Len(t, seen, 100, "%s: %d different ids of 100", name, len(seen))
	}
}

// A refused request has an id too, so that its client can refer to it.
func TestARefusedRequestHasAnID(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	h := tenanthttp.RequestIDHandler(tenanthttp.Handler(attackHosts(), tenanthttp.Routes{}), tenanthttp.RequestIDConfig{})
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://nobody.example/", nil))
	if assert.Equal(t, http.StatusNotFound, w.Code, "status %d, headers %v", w.Code, w.Header()) {
		assert.NoError(t, tenanthttp.ValidateRequestID(w.Header().Get(tenanthttp.RequestIDHeader)),
			"status %d, headers %v", w.Code, w.Header())
	}
}

func TestNewRequestIDContextRefusesInvalidIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "a b", "a\x00", strings.Repeat("a", 65)} {
		ctx, err := tenanthttp.NewRequestIDContext(t.Context(), id)
		var fieldErr *tenancy.FieldError
		if assert.ErrorAs(t, err, &fieldErr) {
			assert.Equal(t, "request_id", fieldErr.Field)
		}
		assert.True(t, ctx == nil, "%q: a context all the same", id)
	}
	ctx, err := tenanthttp.NewRequestIDContext(t.Context(), "job-7")
	require.NoError(t, err)
	assert.Equal(t, "job-7", tenanthttp.RequestID(ctx), "id")
	got := tenanthttp.RequestID(t.Context())
	assert.Empty(t, got, "id %q of a context without", got)
}

func TestTagsOfSites(t *testing.T) {
	t.Parallel()
	ctx, err := tenanthttp.NewRequestIDContext(t.Context(), "r1")
	require.NoError(t, err)
	expect := func(ctx context.Context, want map[string]string) {
		t.Helper()
		assert.Equal(t, want, maps.Collect(tenanthttp.Tags(ctx)), "tags")
	}
	expect(t.Context(), map[string]string{})
	expect(ctx, map[string]string{"request_id": "r1"})
	expect(tenancy.NewPublicContext(ctx), map[string]string{"site": "public", "schema": "public", "request_id": "r1"})
	tenant := tenancy.NewContext(ctx, active(7, "a"))
	expect(tenant, map[string]string{"tenant": "a", "tenant_id": "7", "schema": "tenant_a", "request_id": "r1"})
	// the request's tenant, with the schema of another tenant
	require.NoError(t, schemactx.WithSchema(tenant, "tenant_b", func(ctx context.Context) error {
		expect(ctx, map[string]string{"tenant": "a", "tenant_id": "7", "schema": "tenant_b", "request_id": "r1"})
		return nil
	}))
	for name := range tenanthttp.Tags(tenant) {
		assert.Equal(t, "tenant", name, "%s comes first", name)
		break
	}
}

func TestRecordsHaveTheRequestsID(t *testing.T) {
	t.Parallel()
	ctx, err := tenanthttp.NewRequestIDContext(t.Context(), "r1")
	require.NoError(t, err)
	got := logged(func(l *slog.Logger) {
		l.InfoContext(ctx, "m")
		l.WithGroup("g").InfoContext(tenancy.NewContext(ctx, active(7, "a")), "m", "x", 1)
	})
	assert.Equal(t,
		"level=INFO msg=m request_id=r1\nlevel=INFO msg=m tenant=a tenant_id=7 schema=tenant_a request_id=r1 g.x=1", got)
}

// An id allocates its place in the header, the context and the request. New is not counted, because
// crypto/rand allocates more under the race detector.
func TestRequestIDAllocations(t *testing.T) {
	cfg := tenanthttp.RequestIDConfig{New: func() string { return "r1" }}
	h, r, w := tenanthttp.RequestIDHandler(benchMux(), cfg), benchRequest("a.example.com"), writer{http.Header{}}
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }), float64(3), "allocations, want 3")
	ctx, err := tenanthttp.NewRequestIDContext(t.Context(), "r1")
	require.NoError(t, err)
	n := testing.AllocsPerRun(100, func() { _ = tenanthttp.RequestID(ctx) })
	assert.Zero(t, n, "RequestID: %v allocations, want 0", n)
}

func BenchmarkRequestIDHandler(b *testing.B) {
	bench(b, tenanthttp.RequestIDHandler(benchMux(), tenanthttp.RequestIDConfig{}), benchRequest("a.example.com"))
}
