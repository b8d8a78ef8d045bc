package tenancy_test

import (
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
)

// The host of a request says whose it is, and its statements run there.
func ExampleHandler() {
	p, done := newPlatform()
	defer done()

	h := tenancy.Handler(p.Hosts, tenancy.Routes{
		Public: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Welcome.") }),
		Tenant: http.HandlerFunc(p.Students),
	})

	ask(h, "http://example.com/")
	ask(h, "http://schoola.example.com/")
	ask(h, "http://schoolb.example.com/")
	ask(h, "http://schoolc.example.com/")

	// Output:
	// 200 Welcome.
	// 200 Amara, Bruno
	// 200 Mateo, Nadia
	// 404 {"title":"Unknown host","status":404,"detail":"There is no site at this host."}
}
