package tenancy

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// RoleMigrator is a [Migrator] that says as which role it works, such as a migrate.Runner.
// [Manager.Init] refuses one that does not work as the owner of the registry's database. It is safe
// for concurrent use.
type RoleMigrator interface {
	Migrator

	// Role returns the role that owns what Migrate makes in the registry. ctx governs the query.
	Role(ctx context.Context) (string, error)
}

// checkLogins checks, before Init makes anything, that its pools are logged in as the owner. What
// another role makes belongs to that role, and the owner could neither migrate nor grant it later.
func (m *Manager) checkLogins(ctx context.Context) error {
	if err := checkOwner(ctx, m.registry, m.cfg.RegistryRoles); err != nil {
		return err
	}
	if err := m.checkMigrator(ctx); err != nil {
		return fmt.Errorf("the pool of the migrations: %w", err)
	}
	if m.schemas == m.registry.Pool {
		return nil
	}
	return checkOwner(ctx, m.schemas, m.cfg.Roles)
}

func (m *Manager) checkMigrator(ctx context.Context) error {
	migrator, ok := m.cfg.Migrator.(RoleMigrator)
	if !ok {
		return nil
	}
	role, err := migrator.Role(ctx)
	if err == nil && role != m.cfg.RegistryRoles.Owner() {
		err = &schemactx.LoginError{Login: role, Kind: schemactx.LoginOther, Want: m.cfg.RegistryRoles.Owner()}
	}
	return err
}

// checkSession is checkOwner for one connection, before each operation, as a program may not have
// called Init. It asks the server, unless the server has reported the owner as the login. A pooler
// may report none.
func checkSession(ctx context.Context, conn *pgx.Conn, roles schemactx.RoleNames) error {
	if conn.PgConn().ParameterStatus("session_authorization") == roles.Owner() {
		return nil
	}
	return checkOwner(ctx, conn, roles)
}

// checkServer is checkSession for the pool of the tenants' schemas, before a schema is made.
func (m *Manager) checkServer(ctx context.Context, server *pgxpool.Pool) error {
	if server == m.registry.Pool {
		return nil // checked with the lock
	}
	return server.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		return checkSession(ctx, conn.Conn(), m.cfg.Roles)
	})
}

// queryer is a pool or a connection.
type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// checkOwner returns an error unless db works as the owner role.
func checkOwner(ctx context.Context, db queryer, roles schemactx.RoleNames) error {
	var role string
	var super, owner, public bool
	err := db.QueryRow(ctx, `select rolname, rolsuper, exists (select from pg_catalog.pg_roles where rolname = $1),
			exists (select from pg_catalog.pg_roles where rolname = $2)
		from pg_catalog.pg_roles where rolname = current_user`, roles.Owner(), roles.Public()).
		Scan(&role, &super, &owner, &public)
	switch {
	case err != nil:
		return fmt.Errorf("look at the login of the registry: %w", err)
	case role != roles.Owner():
		e := &schemactx.LoginError{Login: role, Kind: schemactx.LoginOther, Want: roles.Owner(), Missing: !owner}
		switch {
		case super:
			e.Kind = schemactx.LoginSuperuser
		case role == roles.Runtime():
			e.Kind = schemactx.LoginRuntime
		}
		return e
	case !public:
		return fmt.Errorf("%w: role %q does not exist: run schemactx/admin.Setup with an administrator's login",
			schemactx.ErrNotProvisioned, roles.Public())
	}
	return nil
}

// checkConfigured refuses a pool that is configured with the login that serves requests.
func checkConfigured(pool *pgxpool.Pool, roles schemactx.RoleNames) error {
	if login := pool.Config().ConnConfig.User; login == roles.Runtime() {
		return &schemactx.LoginError{Login: login, Kind: schemactx.LoginRuntime, Want: roles.Owner()}
	}
	return nil
}

// ErrNotInitialized is returned by everything that reads or changes the registry if the configured
// schema has none, or if the registry lacks what a later release has added: [Manager.Init] has not
// run, or the registry is in another schema. Nothing was changed. The error wraps that of
// PostgreSQL, which names the schema if a table is missing.
var ErrNotInitialized = registrydb.ErrNotInitialized

func initialized(err error) error { return registrydb.Initialized(err) }

// initializedQuerier is a [Querier] that returns [ErrNotInitialized] where there is no registry.
type initializedQuerier struct{ db Querier }

// Query runs the query.
func (q initializedQuerier) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := q.db.Query(ctx, sql, args...)
	if err != nil {
		return rows, initialized(err)
	}
	return initializedRows{rows}, nil
}

type initializedRows struct{ pgx.Rows }

// Err returns the error that ended the rows.
func (r initializedRows) Err() error { return initialized(r.Rows.Err()) }
