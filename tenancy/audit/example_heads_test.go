package audit_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// A head that is kept on another machine reveals that the newest rows were removed, even if the
// database has no trace of them.
func ExampleReader_Heads() {
	p, done := newPlatform(audit.Config{})
	defer done()
	ctx := context.Background()
	orPanic(p.Log.Record(ctx, audit.Entry{Tenant: 1, Action: audit.Login, Actor: "ada"}))
	orPanic(p.Log.Flush(ctx))
	heads, err := p.reader().Heads(ctx) // to be kept on another machine
	orPanic(err)

	_, err = p.Owner.Exec(ctx, "truncate audit_log, audit_heads")
	orPanic(err)
	report, err := p.reader().VerifyAll(ctx, audit.VerifyOptions{})
	fmt.Println(report.Err(), err)
	report, err = p.reader().VerifyAll(ctx, audit.VerifyOptions{Heads: heads})
	fmt.Println(report.Problems[0].Kind, report.Problems[0].Detail, err)

	// Output:
	// <nil> <nil>
	// missing the whole chain is missing <nil>
}
