package tenancy

import "context"

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

// SharedSchemaMigrator is a [Migrator] that reports the schema of its shared migrations, such as a
// migrate.Runner.
type SharedSchemaMigrator interface {
	Migrator

	// SharedSchema returns the name of that schema.
	SharedSchema() string
}

// VersionedMigrator is what a [Migrator] is that can say what it brings schemas to, so that no
// tenant is taken from the stock that is behind. [github.com/oryne/pgtenant/migrate.Runner] is one.
type VersionedMigrator interface {
	Migrator

	// TenantVersion names what a tenant's schema is once Migrate has returned nil. It is not empty,
	// and another one whenever Migrate would do something else; that of a later release sorts behind
	// that of an earlier one, byte by byte.
	TenantVersion() string
}

// NewSchemaMigrator is a [Migrator] that can bring up a new schema faster. Create uses it where
// registry and schemas are in one database and neither hooks nor a [Config].Seed are told of the
// tenant before it is there.
type NewSchemaMigrator interface {
	Migrator

	// MigrateNew is Migrate for a schema that was just made. Its commits need not wait for the disk: a
	// later one on the same server does.
	MigrateNew(ctx context.Context, schema string) error
}

// UnusedSchemaMigrator is a [Migrator] that can bring up a schema that no session uses yet without
// CONCURRENTLY, which waits for the snapshots of all other sessions. Create, the stock and
// [Manager.RevertReplacement] use it.
type UnusedSchemaMigrator interface {
	Migrator

	// MigrateUnused is Migrate for a schema that no other session uses until it returns.
	MigrateUnused(ctx context.Context, schema string) error
}

// asyncCommit reports whether the migrations of a create may use synchronous_commit=off. The last
// commit of the create waits for the disk and makes the earlier ones durable too, as one server
// writes its log in order. A crash before it loses a tenant that no caller knows yet. A hook or a
// seed may have stored the tenant's id elsewhere, and after the crash the sequence could give the
// id out again. A schema on another server has another log.
func (m *Manager) asyncCommit() bool {
	return m.schemas == m.registry.Pool && m.cfg.Seed == nil && m.cfg.Hooks.Before == nil && m.cfg.Hooks.After == nil
}

// migrateNew brings up a schema that was just made.
func (m *Manager) migrateNew(ctx context.Context, schema string) error {
	if fast, ok := m.cfg.Migrator.(NewSchemaMigrator); ok && m.asyncCommit() {
		return fast.MigrateNew(ctx, schema)
	}
	return m.migrateUnused(ctx, schema)
}

// migrateUnused brings a schema up to date that no session uses yet.
func (m *Manager) migrateUnused(ctx context.Context, schema string) error {
	if unused, ok := m.cfg.Migrator.(UnusedSchemaMigrator); ok {
		return unused.MigrateUnused(ctx, schema)
	}
	return m.cfg.Migrator.Migrate(ctx, schema)
}
