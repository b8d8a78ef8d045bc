package tenancy_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// A new schema is staged for a tenant and replaces the tenant's schema when it is complete. The old
// schema is retained until ConfirmReplacement drops it.
func ExampleStaging() {
	tenants, done := openRegistry(func(cfg *tenancy.Config) { cfg.Drop.Enabled = true })
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
	fmt.Println("staged:", staging.Schema())
	replaced, err := staging.Replace(ctx)
	fmt.Println("served from", replaced.Schema, err)

	retained, err := tenants.RetainedSchema(ctx, "acme")
	fmt.Println("retained:", retained.Schema == acme.Schema, err)
	request, err := tenants.RequestConfirm(ctx, "acme", retained.Schema, "ada") // as for a drop
	fmt.Println("tables that will be dropped:", request.Contents.Tables, err)
	params := tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token}
	_, err = tenants.ConfirmReplacement(ctx, params, retained.Schema)
	fmt.Println("dropped:", err)

	// Output:
	// staged: tenant_1_r1
	// served from tenant_1_r1 <nil>
	// retained: true <nil>
	// tables that will be dropped: 2 <nil>
	// dropped: <nil>
}
