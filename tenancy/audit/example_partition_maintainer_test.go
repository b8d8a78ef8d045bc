package audit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// The maintainer keeps one year. A program calls Maintain at its start and once a day.
func ExamplePartitionMaintainer_Maintain() {
	p, done := newPlatform(audit.Config{})
	defer done()
	today := time.Date(2026, time.November, 23, 0, 0, 0, 0, time.UTC)
	maintainer, err := audit.NewPartitionMaintainer(
		p.Owner,
		audit.PartitionMaintainerConfig{Keep: 12, Clock: func() time.Time { return today }},
	)
	orPanic(err)

	for range 3 {
		report, err := maintainer.Maintain(context.Background())
		orPanic(err)
		fmt.Println("made", len(report.Made), "months, removed", len(report.Removed))
		today = today.AddDate(0, 13, 0)
	}

	// Output:
	// made 3 months, removed 0
	// made 3 months, removed 1
	// made 3 months, removed 3
}
