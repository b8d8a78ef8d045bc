package tenanthttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// The host and the client's address are read from the load balancer's headers, but not from those
// of any other peer.
func ExampleProxies() {
	p, done := schooltest.New()
	defer done()

	proxies, err := tenanthttp.NewProxies(
		tenanthttp.ProxyConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}},
	)
	schooltest.Must(err)
	h := tenanthttp.Handler(p.Hosts, tenanthttp.Routes{Proxies: proxies, Tenant: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			t, _ := tenancy.FromContext(r.Context())
			fmt.Fprint(w, t.Slug, " for ", proxies.ClientIP(r))
		},
	)})

	for _, peer := range []string{"10.0.0.7:41000", "203.0.113.66:41000"} {
		r := httptest.NewRequest(http.MethodGet, "http://backend.internal/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-Host", "schoola.example.com")
		r.Header.Set("X-Forwarded-For", "127.0.0.1, 198.51.100.4") // the client has sent the first address
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 200 schoola for 198.51.100.4
	// 404 {"title":"Unknown host","status":404,"detail":"There is no site at this host."}
}
