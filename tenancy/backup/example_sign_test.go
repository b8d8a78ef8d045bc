package backup_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// A signature proves who made a backup. A service that trusts one key refuses backups of all
// others.
func ExampleConfig_signingKey() {
	p, done := newPlatform()
	defer done()
	ctx := context.Background()
	public, private, err := ed25519.GenerateKey(nil)
	orPanic(err)

	cfg := backup.Config{Pool: p.Owner, Tenants: p.Tenants, Migrations: p.Runner, Store: p.Store}
	unsigned, err := backup.New(cfg)
	orPanic(err)
	forged, err := unsigned.Backup(ctx, "north", backup.BackupOptions{})
	orPanic(err)

	cfg.SigningKey, cfg.TrustedKeys = private, []ed25519.PublicKey{public}
	backups, err := backup.New(cfg)
	orPanic(err)
	info, err := backups.Backup(ctx, "north", backup.BackupOptions{})
	orPanic(err)

	_, _, err = backups.Check(ctx, info.Name)
	fmt.Println("own backup:", err)
	_, _, err = backups.Check(ctx, forged.Name)
	fmt.Println("another's is refused:", errors.Is(err, archive.ErrSignature))
	// Output:
	// own backup: <nil>
	// another's is refused: true
}
