package backup_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A tenant gets another name within the database without being copied. Its older backups still
// belong to it.
func Example_move() {
	s, done := openNorth()
	defer done()
	ctx := context.Background()
	info, err := s.backups.Backup(ctx, "north", backup.BackupOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	moved, err := s.tenants.Rename(ctx, "north", tenancy.RenameParams{
		Slug: "northern", Name: "Northern School",
		Schema: "northern",
	})
	fmt.Println(moved.Slug, moved.Schema, err)
	_, err = s.tenants.AddDomain(ctx, "northern", "northern.example.com")
	fmt.Println(err)
	_, err = s.tenants.SetPrimaryDomain(ctx, "northern", "northern.example.com")
	fmt.Println(err)

	restored, err := s.backups.Restore(ctx, info.Name, backup.RestoreOptions{Replace: "northern"})
	fmt.Println(restored.Tenant.Slug, restored.Retained, err)
	s.print("northern")

	// Output:
	// northern northern <nil>
	// <nil>
	// <nil>
	// northern northern <nil>
	// northern: Ann ann@example.com, Bo - <nil>
}
