package audit_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// A page of the newest entries and the next page, for example for an API of the platform.
func ExampleReader_List() {
	p, done := newPlatform(audit.Config{})
	defer done()
	ctx := context.Background()
	for _, actor := range []string{"ada", "grace", "eve"} {
		orPanic(p.Log.Write(ctx, audit.Entry{Tenant: 1, Action: audit.LoginFailed, Actor: actor}))
	}

	filter := audit.Filter{Tenants: []int64{1}, Actions: []audit.Action{audit.LoginFailed}, Order: audit.Newest, Limit: 2}
	for {
		page, err := p.reader().List(ctx, filter)
		orPanic(err)
		for _, e := range page.Records {
			fmt.Println(e.Actor)
		}
		if page.Next == "" {
			break
		}
		fmt.Println("--")
		filter.After = page.Next
	}

	// Output:
	// eve
	// grace
	// --
	// ada
}
