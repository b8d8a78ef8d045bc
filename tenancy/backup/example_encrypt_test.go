package backup_test

import (
	"context"
	"errors"
	"fmt"

	"filippo.io/age"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// The program that makes backups need not be able to read them. The identity is kept where backups
// are restored.
func ExampleConfig_recipients() {
	p, done := newPlatform()
	defer done()
	ctx := context.Background()
	identity, err := age.GenerateX25519Identity() // or one from age-keygen: age.ParseX25519Identity
	orPanic(err)

	cfg := backup.Config{Pool: p.Owner, Tenants: p.Tenants, Migrations: p.Runner, Store: p.Store}
	cfg.Recipients = []age.Recipient{identity.Recipient()}
	backups, err := backup.New(cfg)
	orPanic(err)
	info, err := backups.Backup(ctx, "north", backup.BackupOptions{})
	orPanic(err)
	fmt.Println("verified by", info.Verified)
	_, _, err = backups.Check(ctx, info.Name)
	fmt.Println("readable here:", !errors.Is(err, archive.ErrEncrypted))

	cfg.Identities = []age.Identity{identity}
	restores, err := backup.New(cfg)
	orPanic(err)
	_, manifest, err := restores.Check(ctx, info.Name)
	orPanic(err)
	fmt.Println("readable there:", manifest.Rows(), "rows")
	// Output:
	// verified by bytes
	// readable here: false
	// readable there: 2 rows
}
