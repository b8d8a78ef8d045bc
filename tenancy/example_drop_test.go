package tenancy_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// A drop takes two calls. RequestDrop returns what will be deleted and a token. A person reads the
// request and confirms it with the token.
func ExampleManager_Drop() {
	tenants, done := openRegistry(func(cfg *tenancy.Config) {
		cfg.Drop.Enabled = true
		cfg.Drop.Notify = func(_ context.Context, e tenancy.DropEvent) { fmt.Println("log:", e.Phase, "by", e.Actor) }
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
	fmt.Println(request.Contents.Tables, "tables will be dropped, and", request.Contents.Domains)

	// The token is good for this tenant and this actor.
	_, err = tenants.Drop(ctx, tenancy.DropParams{Slug: "acme", Actor: "eve", Token: request.Token})
	fmt.Println(err)

	_, err = tenants.Drop(ctx, tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token})
	fmt.Println(err)
	_, err = tenants.BySlug(ctx, "acme")
	fmt.Println(errors.Is(err, tenancy.ErrNotFound))

	// Output:
	// log: requested by ada
	// 2 tables will be dropped, and [acme.example.com]
	// log: refused by eve
	// drop tenant "acme": drop token is not valid
	// log: started by ada
	// log: done by ada
	// <nil>
	// true
}
