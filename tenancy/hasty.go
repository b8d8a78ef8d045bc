package tenancy

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// hasty reports whether the first commits of a create need not wait for the disk: the last one
// does, and takes the earlier ones with it, as one server writes its log in order. A crash in
// between loses what nobody was told of yet. With hooks or a seed somebody was, who may have noted
// the id elsewhere, and after the crash the sequence could give it out again; and a schema on
// another server has another log.
func (m *Manager) hasty() bool {
	return m.schemas == m.registry && m.cfg.Seed == nil && m.cfg.Hooks.Before == nil && m.cfg.Hooks.After == nil
}

// commitMode is what synchronous_commit is set to in the first commits of a create, for one
// transaction; empty: what it is.
func (m *Manager) commitMode() string {
	if m.hasty() {
		return "off"
	}
	return ""
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

// UnusedSchemaMigrator is a [Migrator] that can bring up a schema that nobody uses yet without a
// regard for others: it needs not build indexes concurrently, which waits for the snapshots of all
// other sessions. Create uses it, and so does what fills the stock and takes a replacement back.
type UnusedSchemaMigrator interface {
	Migrator

	// MigrateUnused is Migrate for a schema that nobody uses until it returns.
	MigrateUnused(ctx context.Context, schema string) error
}

// migrate brings the schema of a tenant that is being made up to date.
func (m *Manager) migrate(ctx context.Context, op Op, t *Tenant) error {
	if fast, ok := m.cfg.Migrator.(NewSchemaMigrator); ok && op == OpCreate && m.hasty() {
		return fast.MigrateNew(ctx, t.Schema)
	}
	return m.migrateUnused(ctx, t.Schema)
}

// migrateUnused brings a schema up to date that nobody uses yet.
func (m *Manager) migrateUnused(ctx context.Context, schema string) error {
	if unused, ok := m.cfg.Migrator.(UnusedSchemaMigrator); ok {
		return unused.MigrateUnused(ctx, schema)
	}
	return m.cfg.Migrator.Migrate(ctx, schema)
}

// hastyPool begins transactions that do not wait for the disk.
type hastyPool struct{ pool *pgxpool.Pool }

func (p hastyPool) Begin(ctx context.Context) (pgx.Tx, error) {
	return p.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: "begin; set local synchronous_commit = off"})
}
