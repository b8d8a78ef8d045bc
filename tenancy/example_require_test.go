package tenancy_test

import (
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
)

// One mux serves both kinds of site: what belongs to one of them is not there on the other.
func ExampleRequireTenant() {
	p, done := newPlatform()
	defer done()

	mux := http.NewServeMux()
	mux.Handle("GET /students", tenancy.RequireTenant(http.HandlerFunc(p.Students)))
	mux.Handle("GET /prices", tenancy.RequirePublic(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "100 a year") },
	)))
	h := tenancy.Handler(p.Hosts, tenancy.Routes{Public: mux, Tenant: mux})

	ask(h, "http://schoola.example.com/students")
	ask(h, "http://schoola.example.com/prices")
	ask(h, "http://example.com/prices")
	ask(h, "http://example.com/students")

	// Output:
	// 200 Amara, Bruno
	// 404 {"title":"Not Found","status":404,"detail":"There is nothing at this address."}
	// 200 100 a year
	// 404 {"title":"Not Found","status":404,"detail":"There is nothing at this address."}
}
