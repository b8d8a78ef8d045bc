package tenanthttp_test

import (
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// One mux serves both kinds of site. A route of one kind answers 404 on the other.
func ExampleRequireTenant() {
	p, done := schooltest.New()
	defer done()

	mux := http.NewServeMux()
	mux.Handle("GET /students", tenanthttp.RequireTenant(http.HandlerFunc(p.Students)))
	mux.Handle("GET /prices", tenanthttp.RequirePublic(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "100 a year") },
	)))
	h := tenanthttp.Handler(p.Hosts, tenanthttp.Routes{Public: mux, Tenant: mux})

	schooltest.Ask(h, "http://schoola.example.com/students")
	schooltest.Ask(h, "http://schoola.example.com/prices")
	schooltest.Ask(h, "http://example.com/prices")
	schooltest.Ask(h, "http://example.com/students")

	// Output:
	// 200 Amara, Bruno
	// 404 {"title":"Not Found","status":404,"detail":"There is nothing at this address."}
	// 200 100 a year
	// 404 {"title":"Not Found","status":404,"detail":"There is nothing at this address."}
}
