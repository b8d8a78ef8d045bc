package backup

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// Config configures a [Service].
type Config struct {
	// Pool connects to the database of the tenants' schemas as the owner role of [admin.Setup].
	// Required.
	Pool *pgxpool.Pool

	// Tenants manages the registry. Required.
	Tenants *tenancy.Manager

	// Registry connects to the registry's database as the owner of the tables of [Migrations].
	// [Schedule] and [Service.Erase] use it. Default: Pool. Required if the schemas and the registry
	// are in separate databases.
	Registry *pgxpool.Pool

	// Migrations creates the tenants' schemas. Required.
	Migrations *migrate.Runner

	// Store stores the archives. If it is nil, only operations that take a reader or a writer are
	// available.
	Store Store

	// Recipients are the public keys for which archives are encrypted. Default: none, archives are not
	// encrypted.
	Recipients []age.Recipient

	// Identities are the private keys that decrypt archives. If none of them belongs to one of
	// Recipients, a backup is verified by its bytes alone ([VerifiedBytes]). Default: none, encrypted
	// archives cannot be read.
	Identities []age.Identity

	// SigningKey signs archives, see [archive.WriterOptions]. Default: nil, archives are not signed.
	SigningKey crypto.Signer

	// TrustedKeys are the public keys of accepted signers: an archive that is read must be signed by
	// one of them. Default: the public key of SigningKey. Without either, archives need no signature.
	TrustedKeys []ed25519.PublicKey

	// Limits bounds what is read of an archive.
	Limits archive.Limits

	// Level is the compression level, see [archive.WriterOptions]. Default: [archive.DefaultLevel].
	Level int

	// LockTimeout bounds the wait for locks on tables that another session alters. A backup holds
	// ACCESS SHARE locks, so that it blocks only statements that alter or drop a table. Default: 30 s;
	// the minimum is 1 ms.
	LockTimeout time.Duration

	// Erasers delete the data of a tenant that is outside of its schema, such as rows of an access
	// log. [Service.Erase] calls them in this order. Default: none.
	Erasers []Eraser

	// Dump configures how [Service.Dump] runs pg_dump.
	Dump DumpConfig

	// Progress receives progress events from the goroutine of a backup or restore, which waits for it.
	// It must be safe for concurrent use. Default: events are discarded.
	Progress func(ctx context.Context, e Event)

	// Logger receives a record for each backup. Default: records are discarded.
	Logger *slog.Logger
}

// withDefaults validates the configuration and sets defaults.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Pool == nil:
		return c, errors.New("backup: Config.Pool is nil")
	case c.Tenants == nil:
		return c, errors.New("backup: Config.Tenants is nil")
	case c.Migrations == nil:
		return c, errors.New("backup: Config.Migrations is nil")
	case c.LockTimeout != 0 && c.LockTimeout < time.Millisecond:
		return c, fmt.Errorf("backup: Config.LockTimeout %v is less than 1ms", c.LockTimeout)
	}
	if err := c.writerOptions().Validate(); err != nil {
		return c, err
	}
	if c.SigningKey != nil && len(c.TrustedKeys) == 0 {
		key, _ := c.SigningKey.Public().(ed25519.PublicKey) // validated above
		c.TrustedKeys = []ed25519.PublicKey{key}
	}
	if err := c.readerOptions().Validate(); err != nil {
		return c, err
	}
	c.Registry = cmp.Or(c.Registry, c.Pool)
	c.LockTimeout = cmp.Or(c.LockTimeout, 30*time.Second)
	if c.Progress == nil {
		c.Progress = func(context.Context, Event) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func (c *Config) writerOptions() archive.WriterOptions {
	return archive.WriterOptions{Recipients: c.Recipients, SigningKey: c.SigningKey, Level: c.Level}
}

func (c *Config) readerOptions() archive.ReaderOptions {
	return archive.ReaderOptions{Identities: c.Identities, TrustedKeys: c.TrustedKeys, Limits: c.Limits}
}
