package backup_test

import (
	"context"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// A program runs [backup.Schedule.Run] during its whole life, in each of its processes. This
// example runs once what is due.
func ExampleSchedule() {
	p := openHosting(nil)
	defer p.close()
	ctx := context.Background()

	schedule, err := backup.NewSchedule(p.backups, backup.ScheduleConfig{
		Start: 22 * time.Hour, Window: 6 * time.Hour, // UTC
		Retention:   backup.Retention{Last: 3, Daily: 7, Weekly: 4, Monthly: 12},
		VerifyEvery: 30 * 24 * time.Hour,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := schedule.RunDue(ctx)
	fmt.Println(report.Done, "backed up,", report.Failed, "failed,", err)

	last, err := schedule.LastBackups(ctx) // for metrics
	fmt.Println(len(last), "schemas are fresh,", err)

	// Output:
	// 2 backed up, 0 failed, <nil>
	// 2 schemas are fresh, <nil>
}
