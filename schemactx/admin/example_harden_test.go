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
		fmt.Println(action)
	}
	fmt.Println("complete:", report.Complete())

	// Output:
	// revoke EXECUTE on function pg_catalog.set_config(text, text, boolean) from public: done
	// revoke EXECUTE on function pg_catalog.lo_creat(integer) from public: done
	// revoke EXECUTE on function pg_catalog.lo_create(oid) from public: done
	// revoke EXECUTE on function pg_catalog.lo_from_bytea(oid, bytea) from public: done
	// revoke USAGE on language plpgsql from public: done
	// complete: true
}
