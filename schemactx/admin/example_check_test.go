package admin_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// A program runs Check when it starts, logs the findings, and stops if one of them must be refused.
func ExampleCheck() {
	s, done := newSchools()
	defer done()
	ctx := context.Background()
	if _, err := admin.Harden(ctx, s.Admin, s.Roles); err != nil {
		fmt.Println(err)
		return
	}
	look := func() error {
		report, err := admin.Check(ctx, s.Runtime, admin.CheckConfig{})
		if err != nil {
			return err
		}
		for _, finding := range report.Findings {
			fmt.Println(finding.Severity, finding.Code, finding.Object) // finding.Message says what to do
		}
		return report.Err()
	}
	fmt.Println(look())

	// This grant gives every role access to the tenant's schema.
	if _, err := s.Owner.Exec(ctx, "grant usage on schema school_a to public"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("unsafe:", errors.Is(look(), admin.ErrUnsafe))

	// Output:
	// <nil>
	// refuse schema-shared schema school_a
	// unsafe: true
}
