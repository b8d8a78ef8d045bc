package backup_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// A backup counts only after it has been read back from the store.
func ExampleService_Backup() {
	p, done := newPlatform()
	defer done()
	ctx := context.Background()

	backups, err := backup.New(backup.Config{
		Pool: p.Owner, Tenants: p.Tenants, Migrations: p.Runner, Store: p.Store,
		Progress: func(_ context.Context, e backup.Event) {
			if e.Kind == backup.EventTable {
				fmt.Printf("%d of %d tables: %s, %d rows\n", e.Done, e.Tables, e.Table, e.Rows)
			}
		},
	})
	orPanic(err)
	info, err := backups.Backup(ctx, "north", backup.BackupOptions{})
	orPanic(err)
	fmt.Println("verified by", info.Verified)

	for b, err := range backups.Backups(ctx, info.TenantID) {
		orPanic(err)
		fmt.Println(b.Slug, "has", b.Rows, "rows in a backup")
	}
	// Output:
	// 1 of 1 tables: students, 2 rows
	// verified by content
	// north has 2 rows in a backup
}
