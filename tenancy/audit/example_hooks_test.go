package audit_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// The hooks log code that selects a tenant explicitly, with its call site, and statements without
// the privilege.
func ExampleLog_SchemaHooks() {
	p, done := newPlatform(audit.Config{})
	defer done()
	db, err := schemactx.New(p.Runtime, schemactx.Config{Hooks: p.Log.SchemaHooks(schemactx.Hooks{})})
	orPanic(err)

	ctx := audit.NewContext(context.Background(), audit.Caller{Actor: "report job"})
	err = schemactx.WithSchema(ctx, "tenant_1", func(ctx context.Context) error {
		_, err := db.Exec(ctx, "select * from public.audit_log")
		return err
	})
	fmt.Println(err)
	orPanic(p.Log.Flush(ctx))
	for e, err := range p.reader().All(ctx, audit.Filter{Actor: "report job"}) {
		orPanic(err)
		fmt.Println(e.Action, e.Schema, e.Details["file"], e.Details["sqlstate"])
	}

	// Output:
	// ERROR: permission denied for table audit_log (SQLSTATE 42501)
	// explicit_switch tenant_1 example_hooks_test.go <nil>
	// permission_denied tenant_1 <nil> 42501
}
