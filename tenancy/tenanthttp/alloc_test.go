package tenanthttp_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// A request allocates the scope, the site and the request with its context. Reading the tenant from
// the context allocates nothing.
func TestHandlerAllocations(t *testing.T) {
	mux := benchMux()
	for host, most := range map[string]float64{"a.example.com": 3, "example.com": 3} {
		h, r, w := tenanthttp.Handler(
			attackHosts(),
			tenanthttp.Routes{Public: mux, Tenant: mux},
		), benchRequest(
			host,
		), writer{
			http.Header{},
		}
		n := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) })
		assert.LessOrEqual(t, n, most, "%s: %v allocations", host, n)
	}
	behindProxy := benchRequest("backend.internal")
	behindProxy.Header.Set(xHost, "a.example.com")
	h := tenanthttp.Handler(
		attackHosts(),
		tenanthttp.Routes{Public: mux, Tenant: mux, Proxies: behind(t, tenanthttp.XForwarded)},
	)
	w := writer{http.Header{}}
	n := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, behindProxy) })
	assert.LessOrEqual(t, n, float64(3), "behind a proxy: %v allocations, want 3", n)
	ctx := tenancy.NewContext(t.Context(), active(1, "a"))
	proxies, r := behind(
		t,
		tenanthttp.XForwarded,
	), from(
		proxy,
		xFor,
		"198.51.100.1, 203.0.113.1, 10.0.0.2",
		xHost,
		"b.example.com, a.example.com",
	)
	for name, call := range map[string]func(){
		"FromContext": func() { _, _ = tenancy.FromContext(ctx) },
		"IsPublic":    func() { _ = tenancy.IsPublic(ctx) },
		"Host":        func() { _, _ = proxies.Host(r) },
		"ClientIP":    func() { _ = proxies.ClientIP(r) },
	} {
		n := testing.AllocsPerRun(100, call)
		assert.Zero(t, n, "%s: %v allocations, want 0", name, n)
	}
}
