package tenancy_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// A suspended tenant stays suspended until it is activated. The end of a maintenance does not
// activate it.
func ExampleManager_Suspend() {
	tenants, done := openRegistry(defaults, "north")
	defer done()
	ctx := context.Background()

	t, err := tenants.StartMaintenance(ctx, "north", tenancy.MaintenanceParams{Reason: "server move"})
	fmt.Println(t.Status, t.Reason, err)
	t, err = tenants.Suspend(ctx, "north", "unpaid since March")
	fmt.Println(t.Status, t.Reason, err)

	_, err = tenants.EndMaintenance(ctx, "north")
	fmt.Println(errors.Is(err, tenancy.ErrStatus), err)

	t, err = tenants.Activate(ctx, "north")
	fmt.Println(t.Status, err)

	// Output:
	// maintenance server move <nil>
	// suspended unpaid since March <nil>
	// true end maintenance tenant "north": not possible in the tenant's status: suspended
	// active <nil>
}
