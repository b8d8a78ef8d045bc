package audit_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// A superuser changes a row and removes another.
func ExampleReader_VerifyAll() {
	p, done := newPlatform(audit.Config{})
	defer done()
	ctx := context.Background()
	for _, actor := range []string{"ada", "grace", "eve", "ada"} {
		orPanic(p.Log.Record(ctx, audit.Entry{Tenant: 1, Action: audit.Login, Actor: actor}))
	}
	orPanic(p.Log.Flush(ctx))
	verify := func() {
		report, err := p.reader().VerifyAll(ctx, audit.VerifyOptions{})
		orPanic(err)
		fmt.Println(report.Rows, "rows:", len(report.Problems), "problems")
		for _, problem := range report.Problems {
			fmt.Println(problem.Kind, "at", problem.From, "of tenant", problem.Tenant)
		}
	}

	verify()
	_, err := p.Owner.Exec(ctx, "update audit_log set actor = 'mallory' where actor = 'grace'")
	orPanic(err)
	_, err = p.Owner.Exec(ctx, "delete from audit_log where actor = 'eve'")
	orPanic(err)
	verify()

	// Output:
	// 5 rows: 0 problems
	// 4 rows: 2 problems
	// missing at 4 of tenant 1
	// changed at 3 of tenant 1
}
