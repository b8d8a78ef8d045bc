package backup_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A restore over a live tenant can be reverted until it is confirmed.
func ExampleService_RevertRestore() {
	s, done := openNorth()
	defer done()
	ctx := context.Background()
	info, err := s.backups.Backup(ctx, "north", backup.BackupOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	north, err := s.tenants.BySlug(ctx, "north")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.owner.Exec(ctx, "update "+north.Schema+".pupils set name = 'oops'")
	if err != nil {
		fmt.Println(err)
		return
	}

	restored, err := s.backups.Restore(ctx, info.Name, backup.RestoreOptions{Replace: "north"})
	if err != nil {
		fmt.Println(err)
		return
	}
	s.print("north")
	_, err = s.backups.RevertRestore(ctx, "north", restored.Retained) // switches back to the former schema
	fmt.Println("reverted:", err)
	s.print("north")
	_, err = s.backups.RevertRestore(ctx, "north", restored.Tenant.Schema) // and to the restored one again
	fmt.Println("reverted:", err)
	request, err := s.tenants.RequestConfirm(ctx, "north", restored.Retained, "ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.backups.ConfirmRestore(ctx, tenancy.DropParams{Slug: "north", Actor: "ada", Token: request.Token},
		restored.Retained) // drops the former schema
	fmt.Println("confirmed:", err)
	s.print("north")

	// Output:
	// north: Ann ann@example.com, Bo - <nil>
	// reverted: <nil>
	// north: oops ann@example.com, oops - <nil>
	// reverted: <nil>
	// confirmed: <nil>
	// north: Ann ann@example.com, Bo - <nil>
}
