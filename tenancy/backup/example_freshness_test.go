package backup_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A drop requires a verified backup in the store that is at most a day old.
func ExampleFreshness() {
	p := openHosting(func(cfg *tenancy.Config, b *backup.Config) {
		cfg.Drop.Backups = backup.Freshness{Store: b.Store}
	})
	defer p.close()
	ctx := context.Background()
	drop := func() error {
		request, err := p.tenants.RequestDrop(ctx, "north", "ada")
		if err != nil {
			return err
		}
		_, err = p.tenants.Drop(ctx, tenancy.DropParams{Slug: "north", Actor: "ada", Token: request.Token})
		return err
	}

	var refused *tenancy.BackupError
	fmt.Println("refused:", errors.As(drop(), &refused))
	_, err := p.backups.Backup(ctx, "north", backup.BackupOptions{})
	fmt.Println(err)
	fmt.Println(drop())

	// Output:
	// refused: true
	// <nil>
	// <nil>
}
