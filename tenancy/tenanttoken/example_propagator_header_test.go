package tenanttoken_test

import (
	"context"
	"net/http"
	"net/http/httptest"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// A service gets the tenant from another service of the platform in a signed header.
func ExamplePropagator_InjectHeader() {
	p, done := schooltest.New()
	defer done()
	signer, err := tenanttoken.NewSigner([]byte("32 bytes that crypto/rand has made"))
	schooltest.Must(err)
	propagator, err := tenanttoken.NewPropagator(tenanttoken.PropagatorConfig{Signer: signer, Tenants: p.Registry})
	schooltest.Must(err)

	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := propagator.ExtractHeader(r.Context(), r.Header)
		if err != nil {
			tenanthttp.Problem{Status: http.StatusForbidden, Detail: err.Error()}.Respond(w)
			return
		}
		p.Students(w, r.WithContext(ctx))
	})

	school, err := p.Registry.BySlug(context.Background(), "schoolb")
	schooltest.Must(err)
	call := httptest.NewRequest(http.MethodGet, "http://students.internal/", nil)
	schooltest.Must(propagator.InjectHeader(tenancy.NewContext(context.Background(), &school), call.Header))

	schooltest.Ask(service, "http://students.internal/", tenanttoken.Header, call.Header.Get(tenanttoken.Header))
	schooltest.Ask(service, "http://students.internal/")

	// Output:
	// 200 Mateo, Nadia
	// 403 {"title":"Forbidden","status":403,"detail":"extract tenant: no tenant"}
}
