package tenancy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// Two people have read the same tenant and change it. The second one gets a ConflictError with the
// current tenant.
func ExampleManager_Update() {
	tenants, done := openRegistry(defaults, "north")
	defer done()
	ctx := context.Background()

	read, err := tenants.BySlug(ctx, "north")
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := "gold"
	_, err = tenants.Update(ctx, read, tenancy.Changes{Plan: &plan, Limits: map[string]int64{"students": 500}})
	fmt.Println(err)

	notes := tenancy.Changes{Metadata: json.RawMessage(`{"account_manager": "Ada"}`)}
	_, err = tenants.Update(ctx, read, notes)
	var conflict *tenancy.ConflictError
	if errors.As(err, &conflict) {
		fmt.Println("the current plan is", conflict.Current.Plan)
		read, err = tenants.Update(ctx, conflict.Current, notes)
		fmt.Println(read.Plan, read.Limits, string(read.Metadata), err)
	}

	_, err = tenants.Update(ctx, read, tenancy.Changes{Limits: map[string]int64{"students": -1}})
	fmt.Println(err)

	// Output:
	// <nil>
	// the current plan is gold
	// gold map[students:500] {"account_manager": "Ada"} <nil>
	// limits "students=-1" is negative
}
