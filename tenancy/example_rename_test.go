package tenancy_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// During a rename the tenant is in maintenance, so that requests are answered with 503 and none
// fails. No other tenant can get the old schema name.
func ExampleManager_Rename() {
	tenants, done := openRegistry(defaults, "north", "south")
	defer done()
	ctx := context.Background()

	_, err := tenants.StartMaintenance(ctx, "north", tenancy.MaintenanceParams{Reason: "a new name"})
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := tenants.Rename(ctx, "north", tenancy.RenameParams{Name: "Northern Lights", Slug: "lights", Schema: "lights"})
	fmt.Println(t.Name, t.Slug, t.Schema, err)
	t, err = tenants.EndMaintenance(ctx, "lights")
	fmt.Println(t.Status, err)

	_, err = tenants.Rename(ctx, "south", tenancy.RenameParams{Schema: "lights"})
	fmt.Println(err)
	_, err = tenants.Rename(ctx, "south", tenancy.RenameParams{Schema: "Lights"})
	fmt.Println(err)

	// Output:
	// Northern Lights lights lights <nil>
	// active <nil>
	// rename tenant "south" to schema "lights": name is taken
	// schema name "Lights" does not match [a-z_][a-z0-9_]*
}
