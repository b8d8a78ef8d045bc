package tenanthttp_test

import (
	"net/http"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// A school in maintenance is open to operators with a signed token. A suspended school is open to
// no one.
func ExampleRoutes_bypass() {
	p, done := schooltest.New()
	defer done()
	p.SetStatus("schoola", tenancy.Maintenance, "We are back at noon.")
	p.SetStatus("schoolb", tenancy.Suspended, "")

	const operator tenanttoken.Purpose = "operator"
	signer, err := tenanttoken.NewSigner([]byte("32 bytes that crypto/rand has made"))
	schooltest.Must(err)
	token, err := signer.Sign(tenanttoken.Token{Purpose: operator, Value: "amy"})
	schooltest.Must(err)

	h := tenanthttp.Handler(p.Hosts, tenanthttp.Routes{
		Tenant: http.HandlerFunc(p.Students),
		Bypass: func(r *http.Request, _ *tenancy.Tenant) bool {
			_, err := signer.Verify(operator, r.Header.Get("X-Operator"))
			return err == nil
		},
	})

	schooltest.Ask(h, "http://schoola.example.com/")
	schooltest.Ask(h, "http://schoola.example.com/", "X-Operator", token)
	schooltest.Ask(h, "http://schoolb.example.com/", "X-Operator", token)

	// Output:
	// 503 {"title":"Maintenance","status":503,"detail":"We are back at noon."}
	// 200 Amara, Bruno
	// 403 {"title":"Suspended","status":403,"detail":"This site is suspended."}
}
