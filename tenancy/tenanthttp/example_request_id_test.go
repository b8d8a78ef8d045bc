package tenanthttp_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// The load balancer sets the request id, which is in every log record of the request.
func ExampleRequestIDHandler() {
	p, done := schooltest.New()
	defer done()

	proxies, err := tenanthttp.NewProxies(
		tenanthttp.ProxyConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	text := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime})
	logger := slog.New(tenanthttp.LogHandler(text))
	app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { logger.InfoContext(r.Context(), "served") })
	h := tenanthttp.Handler(p.Hosts, tenanthttp.Routes{Public: app, Tenant: app, Proxies: proxies})
	h = tenanthttp.RequestIDHandler(h, tenanthttp.RequestIDConfig{Proxies: proxies})

	r := httptest.NewRequest(http.MethodGet, "http://schoola.example.com/students", nil)
	r.RemoteAddr = "10.0.0.1:4000"
	r.Header.Set("X-Request-Id", "lb-4711")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Header().Get("X-Request-Id"))

	// Output:
	// level=INFO msg=served tenant=schoola tenant_id=1 schema=tenant_1 request_id=lb-4711
	// lb-4711
}
