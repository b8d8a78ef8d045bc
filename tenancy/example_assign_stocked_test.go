package tenancy_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// AssignStocked assigns a tenant that was created in advance.
func ExampleManager_AssignStocked() {
	tenants, done := openRegistry(func(cfg *tenancy.Config) { cfg.Stock.Size = 2 })
	defer done()
	ctx := context.Background()
	report, err := tenants.Refill(ctx) // a server calls RunStock, which does this in the background
	fmt.Println("made:", report.Made, err)

	acme, err := tenants.AssignStocked(ctx, tenancy.CreateParams{Slug: "acme", Domain: "acme.example.com"})
	fmt.Println(acme.Slug, acme.Status, acme.Schema, err)

	report, err = tenants.Refill(ctx)
	fmt.Println("made:", report.Made, err)

	// Output:
	// made: 2 <nil>
	// acme active tenant_1 <nil>
	// made: 1 <nil>
}
