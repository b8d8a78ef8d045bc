package tenancy_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// A tenant that fails does not stop the others, and the report names it.
func ExampleManager_ForEach() {
	tenants, done := openRegistry(defaults, "east", "north", "west")
	defer done()

	report, err := tenants.ForEach(context.Background(), func(ctx context.Context, t *tenancy.Tenant) error {
		// A program works in the tenant's schema here: db.Exec(ctx, ...)
		if t.Slug == "north" {
			return errors.New("disk full")
		}
		return nil
	}, tenancy.ForEachOptions{Workers: 2})
	fmt.Println(err)
	for _, r := range report.Results {
		fmt.Println(r.Slug, r.Outcome, r.Err)
	}

	// Output:
	// 1 of 3 tenants failed, the first "north": disk full
	// east succeeded <nil>
	// north failed disk full
	// west succeeded <nil>
}
