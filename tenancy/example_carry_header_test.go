package tenancy_test

import (
	"context"
	"net/http"
	"net/http/httptest"

	"github.com/oryne/pgtenant/tenancy"
)

// A service that is asked by another one of the platform gets the tenant in a signed header.
func ExampleCarrier_InjectHeader() {
	p, done := newPlatform()
	defer done()
	signer, err := tenancy.NewSigner([]byte("32 bytes that crypto/rand has made"))
	orPanic(err)
	carrier, err := tenancy.NewCarrier(tenancy.CarrierConfig{Signer: signer, Tenants: p.Registry})
	orPanic(err)

	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := carrier.ExtractHeader(r.Context(), r.Header)
		if err != nil {
			tenancy.Problem{Status: http.StatusForbidden, Detail: err.Error()}.Respond(w)
			return
		}
		p.Students(w, r.WithContext(ctx))
	})

	school, err := p.Registry.BySlug(context.Background(), "schoolb")
	orPanic(err)
	call := httptest.NewRequest(http.MethodGet, "http://students.internal/", nil)
	orPanic(carrier.InjectHeader(tenancy.NewContext(context.Background(), &school), call.Header))

	ask(service, "http://students.internal/", tenancy.CarryHeader, call.Header.Get(tenancy.CarryHeader))
	ask(service, "http://students.internal/")

	// Output:
	// 200 Mateo, Nadia
	// 403 {"title":"Forbidden","status":403,"detail":"extract tenant: no tenant"}
}
