package audit_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// The steps from the creation of a tenant to its drop are logged. A drop that cannot be logged is
// refused.
func ExampleLog_TenancyHooks() {
	p, done := newPlatform(audit.Config{})
	defer done()
	ctx := audit.NewContext(context.Background(), audit.Caller{Actor: "ada"})
	runner, err := migrate.New(p.Owner, migrate.Config{Shared: shared})
	orPanic(err)
	tenants, err := tenancy.New(p.Owner, tenancy.Config{
		Migrator: runner,
		Hooks:    p.Log.TenancyHooks(tenancy.Hooks{}),
		Drop:     tenancy.DropConfig{Enabled: true, Notify: p.Log.NotifyDrop, Approve: p.Log.ApproveDrop(nil)},
	})
	orPanic(err)
	t, err := tenants.Create(ctx, tenancy.CreateParams{Slug: "acme", Schema: "acme", Domain: "acme.example.com"})
	orPanic(err)
	request, err := tenants.RequestDrop(ctx, "acme", "ada")
	orPanic(err)
	_, err = tenants.Drop(ctx, tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token})
	orPanic(err)

	for e, err := range p.reader().All(ctx, audit.Filter{Tenants: []int64{t.ID}, Actor: "ada"}) {
		orPanic(err)
		fmt.Println(e.Action, e.Details["op"], e.Details["step"])
	}

	// Output:
	// create create schema
	// migration create migrate
	// create create seed
	// create create activate
	// drop_requested request drop <nil>
	// drop_approved drop <nil>
	// drop_started drop <nil>
	// drop_step drop mark
	// drop_step drop schema
	// drop_step drop delete
	// drop_done drop <nil>
}
