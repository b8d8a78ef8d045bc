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
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// Config says how a [Service] works.
type Config struct {
	// Pool reaches the tenants' schemas, logged in as the owner role of [schemactx.Setup] there. Required.
	Pool *pgxpool.Pool

	// Tenants is the registry, as its manager has it. Required.
	Tenants *tenancy.Manager

	// Registry reaches the registry's database as the owner of the tables of [Migrations], for a [Schedule] and [Service.Erase].
	// Default: Pool; to be given where the schemas are in another database than the registry.
	Registry *pgxpool.Pool

	// Migrations make the tenants' schemas. Required.
	Migrations *migrate.Runner

	// Store keeps the archives. Nil: there are no other operations than those that are given a reader or a writer.
	Store Store

	// Roles are the names of the database's roles, as given to [schemactx.Setup]. Default: [schemactx.DefaultRoleNames] of the
	// database that Pool connects to.
	Roles schemactx.RoleNames

	// Recipients are whom archives are encrypted to. Default: archives are not encrypted.
	Recipients []age.Recipient

	// Identities open encrypted archives. Where none of Recipients is among them, a backup is verified by its bytes alone
	// ([VerifiedBytes]). Default: encrypted archives cannot be read.
	Identities []age.Identity

	// SigningKey signs archives, see [archive.WriterOptions]. Default: they are not signed.
	SigningKey crypto.Signer

	// TrustedKeys are those of which one must have signed an archive that is read. Default: the public half of SigningKey; where there
	// is none either, archives need no signature.
	TrustedKeys []ed25519.PublicKey

	// Limits bound what is read of an archive.
	Limits archive.Limits

	// Level is the level of compression, see [archive.WriterOptions]. Default: [archive.DefaultLevel].
	Level int

	// LockTimeout bounds the wait for tables that are being altered. A backup holds up nobody but who alters, as it reads. Default: 30 s.
	LockTimeout time.Duration

	// Erasers keep more of tenants than their schemas, such as rows of an access log, and are asked by [Service.Erase] in this order.
	// Default: nobody does.
	Erasers []Eraser

	// Dump says how [Service.Dump] runs pg_dump.
	Dump DumpConfig

	// Progress is told how far a backup is, from its goroutine, and should be quick. It must be safe for concurrent use. Default: nobody is.
	Progress func(ctx context.Context, e Event)

	// Logger gets a record for each backup. Nil discards.
	Logger *slog.Logger
}

// withDefaults checks what is given and fills in the rest.
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
	if c.Roles == (schemactx.RoleNames{}) {
		c.Roles = schemactx.DefaultRoleNames(c.Pool.Config().ConnConfig.Database)
	}
	if err := c.writerOptions().Validate(); err != nil {
		return c, err
	}
	if c.SigningKey != nil && len(c.TrustedKeys) == 0 {
		key, _ := c.SigningKey.Public().(ed25519.PublicKey) // it was validated
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
