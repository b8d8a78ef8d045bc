package backup_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// Only a restore proves that a backup can be restored. Verify restores it into a scratch schema,
// which it drops again.
func ExampleService_Verify() {
	s, done := openNorth()
	defer done()
	ctx := context.Background()
	info, err := s.backups.Backup(ctx, "north", backup.BackupOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	verification, err := s.backups.Verify(ctx, info.Name, backup.RestoreOptions{})
	fmt.Println("restored", verification.Rows, "rows of", verification.Tenant.Slug, err)
	sides, err := s.tenants.AuxiliarySchemas(ctx)
	fmt.Println("left:", len(sides), err)

	// Output:
	// restored 2 rows of north <nil>
	// left: 0 <nil>
}
