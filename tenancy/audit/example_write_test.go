package audit_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// WriteTx writes an entry in the transaction of the work that it describes: both are committed, or
// neither is.
func ExampleLog_WriteTx() {
	p, done := newPlatform(audit.Config{})
	defer done()
	ctx := audit.NewContext(context.Background(), audit.Caller{Actor: "nightly job"})

	for _, fails := range []bool{true, false} {
		err := pgx.BeginFunc(ctx, p.Owner, func(tx pgx.Tx) error {
			// ... the work ...
			if err := p.Log.WriteTx(
				ctx,
				tx,
				audit.Entry{Tenant: 1, Action: audit.Erase, Details: map[string]any{"fails": fails}},
			); err != nil {
				return err
			}
			if fails {
				return errors.New("on second thought")
			}
			return nil
		})
		fmt.Println(err)
	}
	for e, err := range p.reader().All(ctx, audit.Filter{Actions: []audit.Action{audit.Erase}}) {
		orPanic(err)
		fmt.Println(e.Actor, e.Action, e.Details)
	}

	// Output:
	// on second thought
	// <nil>
	// nightly job erase map[fails:false]
}
