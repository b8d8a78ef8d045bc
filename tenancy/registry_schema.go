package tenancy

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// registrySchema returns the schema of the configuration. The defaults of all other fields are
// already set.
func (cfg *Config) registrySchema() (registrydb.Schema, error) {
	name := cfg.RegistrySchema
	if shared, ok := cfg.Migrator.(SharedSchemaMigrator); ok {
		name = cmp.Or(name, shared.SharedSchema())
		if name != shared.SharedSchema() {
			return registrydb.Schema{}, &RegistrySchemaError{Schema: name, Reason: fmt.Sprintf(
				"is not the schema of the shared migrations, %q: set SharedSchema of migrate.Config to the same schema",
				shared.SharedSchema())}
		}
	}
	name = cmp.Or(name, schemactx.Public)
	if name == schemactx.Public {
		return registrydb.Schema{}, nil
	}
	err := cmp.Or(cfg.RegistryRoles.ValidateSchema(name), cfg.Roles.ValidateSchema(name), validateRegistrySchema(name))
	if err != nil {
		reason := "cannot be the registry's: " + err.Error()
		return registrydb.Schema{}, &RegistrySchemaError{Schema: name, Reason: reason, Err: err}
	}
	return registrydb.Parse(name)
}

// validateRegistrySchema refuses names that are reserved for other kinds of schemas.
func validateRegistrySchema(name string) error {
	if id, found := strings.CutPrefix(name, "tenant_"); found && id != "" && id[0] >= '0' && id[0] <= '9' {
		return &schemactx.NameError{Name: name, Rule: "begins like the default name of a tenant's schema"}
	}
	if strings.HasPrefix(name, "pgtenant_") {
		return &schemactx.NameError{Name: name, Rule: "begins like the name of a scratch schema"}
	}
	if name == admin.DefaultExtensionSchema {
		return &schemactx.NameError{Name: name, Rule: "is the schema of extensions, which every tenant may use"}
	}
	return nil
}

// RegistrySchema returns the name of the registry's schema, see [Config].RegistrySchema.
func (m *Manager) RegistrySchema() string { return m.registry.Schema().Name() }

// registryTables are the tables that the first migration creates.
var registryTables = []string{"tenants", "domains", "platform_users"}

// checkRegistrySchema returns a [RegistrySchemaError] unless the registry is in its schema, or can
// be created there. It recognises a registry by an index that the first migration creates, so that
// the tables of another program do not count as a registry.
func (m *Manager) checkRegistrySchema(ctx context.Context) error {
	schema := m.registry.Schema().Name()
	refuse := func(format string, args ...any) error {
		return &RegistrySchemaError{Schema: schema, Reason: fmt.Sprintf(format, args...)}
	}
	var owner, table, elsewhere string
	var tenants bool
	err := m.registry.QueryRow(ctx, `with registry as (
			select n.nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
			join pg_catalog.pg_index i on i.indexrelid = c.oid join pg_catalog.pg_class t on t.oid = i.indrelid
			where c.relname = 'domains_one_primary' and c.relkind = 'i' and t.relname = 'domains' and exists (
				select from pg_catalog.pg_class u where u.relnamespace = n.oid and u.relname = 'platform_users')
		)
		select coalesce((select nspowner::regrole::text from pg_catalog.pg_namespace
				where nspname = $1 and nspname <> 'public'
				and nspowner <> (select oid from pg_catalog.pg_roles where rolname = current_user)), ''),
			exists (select from pg_catalog.pg_roles where rolname = $3)
				and exists (select from pg_catalog.pg_namespace where nspname = $1),
			coalesce((select nspname::text from registry where nspname <> $1 limit 1), ''),
			coalesce((select c.relname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
				where n.nspname = $1 and c.relname = any ($2)
					and not exists (select from registry r where r.nspname = $1) limit 1), '')`,
		schema, registryTables, m.cfg.RegistryRoles.Tenant(schema)).Scan(&owner, &tenants, &elsewhere, &table)
	switch {
	case err != nil:
		return fmt.Errorf("read the state of the registry's schema %q: %w", schema, err)
	case elsewhere != "":
		return refuse("is not the schema of this database's registry, %q: "+
			"a database has one registry, and it cannot be moved; "+
			"set RegistrySchema of tenancy.Config and SharedSchema of migrate.Config to %[1]q", elsewhere)
	case owner != "":
		return refuse("belongs to role %s: use a schema that does not exist, or make the owner role its owner", owner)
	case tenants:
		return refuse("belongs to a tenant: use another schema")
	case table != "":
		return refuse("has a table %q of another program: "+
			"set RegistrySchema of tenancy.Config and SharedSchema of migrate.Config "+
			"to another schema, such as \"tenancy\"", table)
	}
	return nil
}

// createRegistrySchema creates the schema, unless it is public, which [admin.Setup] prepares.
// Package schemactx recognises by the comment on the schema that no tenant owns it. A conflict with
// another Init is retried.
func (m *Manager) createRegistrySchema(ctx context.Context) error {
	schema := m.registry.Schema()
	if schema.Name() == schemactx.Public {
		return nil
	}
	role, err := schemactx.QuoteName(m.cfg.RegistryRoles.Public())
	if err != nil {
		return err
	}
	for range createTries {
		_, err = m.registry.Exec(ctx, `create schema if not exists {registry};
			comment on schema {registry} is '`+registrydb.SchemaComment+`';
			revoke all on schema {registry} from public; grant usage on schema {registry} to `+role)
		if !createdConcurrently(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("create the registry's schema %q: %w", schema.Name(), err)
	}
	return nil
}

// createTries is the maximum number of attempts to create the registry's schema while other
// processes create it.
const createTries = 50

// createdConcurrently reports whether err says that another session has created or granted the same
// object at the same time (unique_violation in the catalog, and "tuple concurrently updated", an
// internal_error).
func createdConcurrently(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == "23505" || pgErr.Code == "XX000")
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the shared migrations that create the registry: *.sql files in goose's format,
// for the schema public, or for the schema that migrate.Config names.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // cannot happen: the directory is embedded
	}
	return registrydb.Files{FS: sub, Made: registryTables}
}

// Identity returns the UUID of the registry, which the shared migrations have generated. Tenant ids
// begin at 1 in every registry. So the UUID distinguishes registries that share a resource outside
// of their databases, such as a store of backups.
//
// A copy of the database (pg_dump, CREATE DATABASE ... TEMPLATE, a file system snapshot) keeps the
// identity of the original until [Manager.RenewIdentity] runs on the copy. Reading the identity
// needs the owner's privileges. The error is [ErrNoIdentity] or that of the query. ctx governs the
// query.
func (r *Registry) Identity(ctx context.Context) (string, error) {
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx), "select id::text from {registry}.registry_identity")
	if err != nil {
		return "", fmt.Errorf("read the registry's identity: %w", err)
	}
	id, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", ErrNoIdentity
	case err != nil:
		return "", fmt.Errorf("read the registry's identity: %w", err)
	}
	return id, nil
}

// RenewIdentity gives the registry a new identity and returns it. Call it on a copy of a database
// before any other program uses the copy. Then the original and the copy do not prune, erase or
// count each other's backups. Afterwards every backup that was made under the former identity
// belongs to another registry, also for this database. ctx governs the statement.
func (m *Manager) RenewIdentity(ctx context.Context) (string, error) {
	var id string
	err := m.registry.QueryRow(ctx, `insert into {registry}.registry_identity default values
		on conflict (one) do update set id = excluded.id, made_at = excluded.made_at returning id::text`).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("renew the registry's identity: %w", initialized(err))
	}
	m.cfg.Logger.WarnContext(ctx, "identity of the registry renewed", "identity", id)
	return id, nil
}
