package tenancy_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// With FourEyes, a second person has to approve a drop before its token is valid.
func ExampleManager_ApproveDrop() {
	tenants, done := openRegistry(func(cfg *tenancy.Config) {
		cfg.Drop = tenancy.DropConfig{Enabled: true, FourEyes: true}
	})
	defer done()
	ctx := context.Background()
	_, err := tenants.Create(ctx, tenancy.CreateParams{Slug: "acme", Domain: "acme.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err := tenants.RequestDrop(ctx, "acme", "ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	drop := func() {
		_, err := tenants.Drop(ctx, tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token})
		fmt.Println("drop:", err)
	}

	drop()
	_, err = tenants.ApproveDrop(ctx, request.ID, "Ada")
	fmt.Println(err)

	shown, err := tenants.DropRequest(ctx, request.ID) // for the second person
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(shown.Actor, "wants to drop", shown.Tenant.Slug)
	approved, err := tenants.ApproveDrop(ctx, request.ID, "bob")
	fmt.Println("approved by", approved.ApprovedBy, err)
	drop()

	// Output:
	// drop: drop tenant "acme": drop is not approved: a second person has to approve request 1
	// approve drop request 1: the person who requests a drop cannot approve it
	// ada wants to drop acme
	// approved by bob <nil>
	// drop: <nil>
}
