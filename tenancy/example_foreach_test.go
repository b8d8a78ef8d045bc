package tenancy_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// A tenant that fails does not stop the others, and the report names it.
func ExampleManager_ForEach() {
	tenants, _, done := newSchools(tenancy.Config{}, "east", "north", "west")
	defer done()

	report, err := tenants.ForEach(context.Background(), func(ctx context.Context, t *tenancy.Tenant) error {
		// A program works in the tenant's schema here: db.Exec(ctx, ...)
		if t.Slug == "north" {
			return errors.New("its printer is on fire")
		}
		return nil
	}, tenancy.ForEachOptions{Workers: 2})
	fmt.Println(err)
	for _, r := range report.Results {
		fmt.Println(r.Slug, r.Outcome, r.Err)
	}

	// Output:
	// 1 of 3 tenants failed, the first "north": its printer is on fire
	// east succeeded <nil>
	// north failed its printer is on fire
	// west succeeded <nil>
}
