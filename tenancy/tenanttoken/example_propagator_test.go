package tenanttoken_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// reportJob is the payload of a job in a queue.
type reportJob struct {
	Tenant string `json:"tenant"` // from Inject
	Title  string `json:"title"`
}

// A job runs for the tenant whose request has queued it. A job without a tenant does not run.
func ExamplePropagator() {
	p, done := schooltest.New()
	defer done()
	signer, err := tenanttoken.NewSigner([]byte("32 bytes that crypto/rand has made"))
	schooltest.Must(err)
	propagator, err := tenanttoken.NewPropagator(tenanttoken.PropagatorConfig{Signer: signer, Tenants: p.Registry})
	schooltest.Must(err)

	queue := func(ctx context.Context, title string) []byte { // in a request
		token, err := propagator.Inject(ctx)
		schooltest.Must(err)
		payload, err := json.Marshal(reportJob{Tenant: token, Title: title})
		schooltest.Must(err)
		return payload
	}
	work := func(payload []byte) { // in a worker
		var job reportJob
		schooltest.Must(json.Unmarshal(payload, &job))
		ctx, err := propagator.Extract(context.Background(), job.Tenant)
		var inactive *tenancy.InactiveError
		switch {
		case errors.As(err, &inactive):
			fmt.Println("later:", err)
			return
		case err != nil:
			fmt.Println("dropped:", err)
			return
		}
		var n int
		schooltest.Must(p.DB.QueryRow(ctx, "select count(*) from students where name < 'C'").Scan(&n))
		fmt.Printf("%s: %d\n", job.Title, n)
	}

	school, err := p.Registry.BySlug(context.Background(), "schoola")
	schooltest.Must(err)
	job := queue(tenancy.NewContext(context.Background(), &school), "students before C")
	work(job)
	work([]byte(`{"title":"nobody's"}`))
	work([]byte(`{"title":"a guess","tenant":"1"}`))
	p.SetStatus("schoola", tenancy.Suspended, "")
	work(job)

	// Output:
	// students before C: 2
	// dropped: extract tenant: no tenant
	// dropped: extract tenant: invalid token
	// later: extract tenant: tenant "schoola" is suspended
}
