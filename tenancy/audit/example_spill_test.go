package audit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// While the log's table is unavailable, entries are written to files. The next log with the
// directory writes them to the table.
func ExampleSpillConfig() {
	dir, err := os.MkdirTemp("", "spill-*")
	orPanic(err)
	defer os.RemoveAll(dir)
	p, done := newPlatform(audit.Config{})
	defer done()
	ctx := context.Background()
	cfg := audit.Config{Spill: audit.SpillConfig{Dir: filepath.Join(dir, "audit"), MaxBytes: 64 << 20}}

	_, err = p.Owner.Exec(ctx, "alter table audit_log rename to audit_log_away")
	orPanic(err)
	log, err := audit.Open(ctx, p.DB, cfg)
	orPanic(err)
	orPanic(log.Record(ctx, audit.Entry{Tenant: 1, Action: audit.Login, Actor: "ada"}))
	orPanic(log.Flush(ctx))
	fmt.Println("spilled:", log.Status().SpillBytes > 0)
	orPanic(log.Close(ctx))

	_, err = p.Owner.Exec(ctx, "alter table audit_log_away rename to audit_log")
	orPanic(err)
	log, err = audit.Open(ctx, p.DB, cfg)
	orPanic(err)
	orPanic(log.Close(ctx)) // at the latest, Close writes them
	for e, err := range p.reader().All(ctx, audit.Filter{Tenants: []int64{1}}) {
		orPanic(err)
		fmt.Println(e.Action, e.Actor)
	}

	// Output:
	// spilled: true
	// login ada
}
