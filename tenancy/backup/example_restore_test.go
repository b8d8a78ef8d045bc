package backup_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A dropped tenant is restored as a new one, with its slug and domains.
func ExampleService_Restore() {
	s, done := openNorth()
	defer done()
	ctx := context.Background()
	info, err := s.backups.Backup(ctx, "north", backup.BackupOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err := s.tenants.RequestDrop(ctx, "north", "ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.tenants.Drop(ctx, tenancy.DropParams{Slug: "north", Token: request.Token, Actor: "ada"})
	fmt.Println("dropped:", err)

	restored, err := s.backups.Restore(ctx, info.Name, backup.RestoreOptions{})
	fmt.Println("restored:", restored.Rows, "rows of", restored.Tenant.Slug, err)
	s.print("north")

	// Output:
	// dropped: <nil>
	// restored: 2 rows of north <nil>
	// north: Ann ann@example.com, Bo - <nil>
}
