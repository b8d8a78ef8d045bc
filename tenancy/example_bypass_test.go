package tenancy_test

import (
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
)

// While a school is in maintenance, the people who work on it get in with a signed token; nobody gets into a suspended one.
func ExampleRoutes_bypass() {
	p, done := newPlatform()
	defer done()
	p.setStatus("schoola", tenancy.Maintenance, "We are back at noon.")
	p.setStatus("schoolb", tenancy.Suspended, "")

	const operator tenancy.Purpose = "operator"
	signer, err := tenancy.NewSigner([]byte("32 bytes that crypto/rand has made"))
	orPanic(err)
	token, err := signer.Seal(tenancy.Token{Purpose: operator, Value: "amy"})
	orPanic(err)

	h := tenancy.Handler(p.Hosts, tenancy.Routes{
		Tenant: http.HandlerFunc(p.Students),
		Bypass: func(r *http.Request, _ *tenancy.Tenant) bool {
			_, err := signer.Open(operator, r.Header.Get("X-Operator"))
			return err == nil
		},
	})

	ask(h, "http://schoola.example.com/")
	ask(h, "http://schoola.example.com/", "X-Operator", token)
	ask(h, "http://schoolb.example.com/", "X-Operator", token)

	// Output:
	// 503 {"title":"Maintenance","status":503,"detail":"We are back at noon."}
	// 200 Amara, Bruno
	// 403 {"title":"Suspended","status":403,"detail":"This site is suspended."}
}
