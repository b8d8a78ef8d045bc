package tenanthttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// A program that knows one tenant. A program with a registry uses the directory of package resolver
// instead of this ResolverFunc.
func Example() {
	acme := &tenancy.Tenant{ID: 1, Slug: "acme", Schema: "tenant_1", Status: tenancy.Active}
	hosts := tenanthttp.ResolverFunc(func(_ context.Context, host string) (tenanthttp.Target, error) {
		name, err := tenancy.NormalizeHost(host) // "ACME.example.com:8000" is "acme.example.com"
		if err != nil {
			return tenanthttp.Target{}, err
		}
		if name != "acme.example.com" {
			return tenanthttp.Target{}, tenancy.ErrUnknownHost
		}
		return tenanthttp.TenantTarget(acme), nil
	})
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, _ := tenancy.FromContext(r.Context())
		fmt.Fprint(w, "the site of ", t.Slug)
	})
	handler := tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: app})

	for _, url := range []string{"http://acme.example.com:8000/", "http://other.example.com/"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 200 the site of acme
	// 404 {"title":"Unknown host","status":404,"detail":"There is no site at this host."}
}
