package audit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// Writes, failures and one of a hundred other requests are logged. A write that cannot be logged is
// not served.
func ExampleLog_Middleware() {
	p, done := newPlatform(audit.Config{})
	defer done()

	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		audit.SetActor(r.Context(), "ada") // when the session is known
		w.WriteHeader(http.StatusCreated)
	})
	h := p.Log.Middleware(app, audit.MiddlewareConfig{
		Policy:   audit.Any(audit.Failures, audit.Sample(100)),
		Required: audit.Writes,
	})

	r := httptest.NewRequest(http.MethodPost, "http://schoola.example.com/students?token=secret", nil)
	r.Header.Set("X-Request-Id", "req-1")
	school := &tenancy.Tenant{ID: 1, Slug: "schoola", Schema: "tenant_1"} // set by tenanthttp.Handler
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(tenancy.NewContext(r.Context(), school)))

	ctx := context.Background()
	orPanic(p.Log.Flush(ctx))
	for e, err := range p.reader().All(ctx, audit.Filter{Tenants: []int64{school.ID}}) {
		orPanic(err)
		fmt.Println(e.Action, e.Slug, e.Actor, e.IP, e.RequestID, e.Details["method"], e.Details["path"], e.Details["status"])
	}

	// Output:
	// schema_access schoola ada 192.0.2.1 req-1 POST /students 201
}
