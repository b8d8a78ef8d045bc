package tenanthttp_test

import (
	"errors"
	"fmt"
	"html"
	"net/http"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// The platform's own page answers for a suspended school; all other refusals stay as they are.
func ExampleRoutes_refuse() {
	p, done := schooltest.New()
	defer done()
	p.SetStatus("schoola", tenancy.Suspended, "The fees of May are due.")

	h := tenanthttp.Handler(p.Hosts, tenanthttp.Routes{
		Tenant: http.HandlerFunc(p.Students),
		Refuse: func(w http.ResponseWriter, _ *http.Request, refusal tenanthttp.Refusal) {
			var inactive *tenancy.InactiveError
			if !errors.As(refusal.Err, &inactive) || inactive.Status != tenancy.Suspended {
				refusal.Problem.Respond(w)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(refusal.Problem.Status)
			fmt.Fprintf(
				w,
				"<h1>%s is closed</h1><p>%s</p>",
				html.EscapeString(refusal.Tenant.Name),
				html.EscapeString(inactive.Reason),
			)
		},
	})

	schooltest.Ask(h, "http://schoola.example.com/")
	schooltest.Ask(h, "http://schoolc.example.com/")

	// Output:
	// 403 <h1>schoola is closed</h1><p>The fees of May are due.</p>
	// 404 {"title":"Unknown host","status":404,"detail":"There is no site at this host."}
}
