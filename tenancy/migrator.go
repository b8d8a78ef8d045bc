package tenancy

import (
	"context"

	"github.com/oryne/pgtenant/schemactx"
)

// Migrator brings one schema up to date. [github.com/oryne/pgtenant/migrate.Runner] is one. If it
// has a method SearchPath(schema string) (string, error), as a Runner has, no tenant gets a schema
// name for which SearchPath returns an error.
type Migrator interface {
	// Migrate applies the pending migrations in schema. In the registry's schema these are the shared
	// migrations. It must be safe to run again after any failure, and in several processes at once.
	Migrate(ctx context.Context, schema string) error
}

// RoleMigrator is a [Migrator] that reports the role it works as, such as a migrate.Runner.
// [Manager.Init] refuses a migrator that does not work as the owner role of the registry's
// database. It must be safe for concurrent use.
type RoleMigrator interface {
	Migrator

	// Role returns the role that owns the objects that Migrate creates in the registry. ctx governs
	// the query.
	Role(ctx context.Context) (string, error)
}

// RoleNamesMigrator is a [Migrator] that reports the role names of the database whose schemas it
// migrates, such as a migrate.Runner. They are the default of [Config].Roles.
type RoleNamesMigrator interface {
	Migrator

	// RoleNames returns the names.
	RoleNames() schemactx.RoleNames
}

// SharedSchemaMigrator is a [Migrator] that reports the schema of its shared migrations, such as a
// migrate.Runner.
type SharedSchemaMigrator interface {
	Migrator

	// SharedSchema returns the name of that schema.
	SharedSchema() string
}

// VersionedMigrator is a [Migrator] that reports a version, so that no outdated stocked tenant is
// assigned. [github.com/oryne/pgtenant/migrate.Runner] is one.
type VersionedMigrator interface {
	Migrator

	// TenantVersion returns the version of a tenant's schema after Migrate has returned nil. It is not
	// empty, and it is different whenever Migrate would make another schema. The version of a later
	// release compares greater, byte by byte.
	TenantVersion() string
}

// NewSchemaMigrator is a [Migrator] that can migrate a new schema without waiting for each commit.
// [Manager.Create] uses it if registry and schemas are in one database and there are neither
// [Hooks] nor a [Config].Seed.
type NewSchemaMigrator interface {
	Migrator

	// MigrateNew is Migrate for a schema that was just created. Its commits need not wait for the
	// disk, because a later commit on the same server waits.
	MigrateNew(ctx context.Context, schema string) error
}

// UnusedSchemaMigrator is a [Migrator] that can migrate a schema that no session uses without
// CONCURRENTLY, which waits for the transactions of all other sessions. Create, the stock and
// [Manager.RevertReplacement] use it.
type UnusedSchemaMigrator interface {
	Migrator

	// MigrateUnused is Migrate for a schema that no other session uses until it returns.
	MigrateUnused(ctx context.Context, schema string) error
}

// asyncCommit reports whether the migrations of a create may use synchronous_commit=off. The last
// commit of the create waits for the disk and makes the earlier commits durable too, because a
// server writes its log in order. A crash before that commit loses a tenant that no caller knows
// yet. With a hook or a seed it is not allowed: they may store the tenant's id elsewhere, and after
// a crash the sequence could return the same id again. It is not allowed either if the schemas are
// on another server, which has a log of its own.
func (m *Manager) asyncCommit() bool {
	return m.schemas == m.registry.Pool && m.cfg.Seed == nil && m.cfg.Hooks.Before == nil && m.cfg.Hooks.After == nil
}

// migrateNew migrates a schema that was just created.
func (m *Manager) migrateNew(ctx context.Context, schema string) error {
	if fast, ok := m.cfg.Migrator.(NewSchemaMigrator); ok && m.asyncCommit() {
		return fast.MigrateNew(ctx, schema)
	}
	return m.migrateUnused(ctx, schema)
}

// migrateUnused migrates a schema that no session uses yet.
func (m *Manager) migrateUnused(ctx context.Context, schema string) error {
	if unused, ok := m.cfg.Migrator.(UnusedSchemaMigrator); ok {
		return unused.MigrateUnused(ctx, schema)
	}
	return m.cfg.Migrator.Migrate(ctx, schema)
}
