package tenanthttp_test

import (
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// The host of a request selects the tenant, and the statements of the request run in the tenant's
// schema.
func ExampleHandler() {
	p, done := schooltest.New()
	defer done()

	h := tenanthttp.Handler(p.Hosts, tenanthttp.Routes{
		Public: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Welcome.") }),
		Tenant: http.HandlerFunc(p.Students),
	})

	schooltest.Ask(h, "http://example.com/")
	schooltest.Ask(h, "http://schoola.example.com/")
	schooltest.Ask(h, "http://schoolb.example.com/")
	schooltest.Ask(h, "http://schoolc.example.com/")

	// Output:
	// 200 Welcome.
	// 200 Amara, Bruno
	// 200 Mateo, Nadia
	// 404 {"title":"Unknown host","status":404,"detail":"There is no site at this host."}
}
