package tenancy_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// A schema is built beside a tenant's, and takes its place when it is ready. What was there stays
// retained until somebody has looked.
func ExampleStaging() {
	tenants, done := openPlatform(func(cfg *tenancy.Config) { cfg.Drop.Enabled = true })
	defer done()
	ctx := context.Background()
	acme, err := tenants.Create(ctx, tenancy.CreateParams{Slug: "acme", Domain: "acme.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}

	staging, err := tenants.StageReplacement(ctx, "acme")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer staging.Close(ctx)
	fmt.Println("to be migrated and filled:", staging.Schema())
	replaced, err := staging.Replace(ctx)
	fmt.Println("served from", replaced.Schema, err)

	retained, err := tenants.RetainedSchema(ctx, "acme")
	fmt.Println("kept:", retained.Schema == acme.Schema, err)
	request, err := tenants.RequestConfirm(ctx, "acme", retained.Schema, "ada") // as for a drop
	fmt.Println("tables that will be lost:", request.Contents.Tables, err)
	_, err = tenants.ConfirmReplacement(
		ctx,
		tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token},
		retained.Schema,
	)
	fmt.Println("dropped:", err)

	// Output:
	// to be migrated and filled: tenant_1_r1
	// served from tenant_1_r1 <nil>
	// kept: true <nil>
	// tables that will be lost: 2 <nil>
	// dropped: <nil>
}
