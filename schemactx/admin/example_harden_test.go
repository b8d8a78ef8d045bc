package admin_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// Harden runs after Setup, as a superuser. As another role it reports what it could not do.
func ExampleHarden() {
	s, done := newDatabase()
	defer done()

	report, err := admin.Harden(context.Background(), s.Admin, s.Roles)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, action := range report.Actions {
		fmt.Printf("%s: %s on %s\n", action.Outcome, action.Privilege, action.Object)
	}
	fmt.Println("complete:", report.Complete())

	// Output:
	// done: EXECUTE on function pg_catalog.set_config(text, text, boolean)
	// done: EXECUTE on function pg_catalog.lo_creat(integer)
	// done: EXECUTE on function pg_catalog.lo_create(oid)
	// done: EXECUTE on function pg_catalog.lo_from_bytea(oid, bytea)
	// done: USAGE on language plpgsql
	// complete: true
}
