package admin_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// Deprovision removes a tenant. It refuses if an object outside of the schema depends on it.
func ExampleDeprovision() {
	s, done := newSchools()
	defer done()
	ctx := context.Background()
	_, err := s.Owner.Exec(ctx, "create view public.everybody as select name from school_a.students")
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = admin.Deprovision(ctx, s.Owner, s.Roles, "school_a", admin.DeprovisionOptions{})
	var dependents *admin.DependentsError
	if errors.As(err, &dependents) {
		fmt.Println("in the way:", dependents.Objects)
	}
	_, err = s.Owner.Exec(ctx, "drop view public.everybody")
	if err != nil {
		fmt.Println(err)
		return
	}

	report, err := admin.Deprovision(ctx, s.Owner, s.Roles, "school_a", admin.DeprovisionOptions{})
	fmt.Println("relations:", report.Relations, err)
	report, err = admin.Deprovision(ctx, s.Owner, s.Roles, "school_a", admin.DeprovisionOptions{})
	fmt.Println("changed by a second run:", report.Changed(), err)

	// Output:
	// in the way: [view public.everybody]
	// relations: 1 <nil>
	// changed by a second run: false <nil>
}
