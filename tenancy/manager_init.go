package tenancy

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// Init applies the shared migrations, which create the registry. It grants the public role of the
// registry's database the columns that route a request to its tenant. It is idempotent and safe in
// several processes at once. A program calls it at every start.
//
// Init creates nothing and returns a [schemactx.LoginError] if a pool, also that of a
// [RoleMigrator], is not logged in as the owner role but, for instance, as a superuser. The same
// holds if [admin.Setup] has not run in the database or has created roles with other names. Without
// the public role the error is [schemactx.ErrNotProvisioned]. If the registry's schema has tables
// of another program, or the registry is in another schema, Init creates nothing and returns a
// [RegistrySchemaError].
func (m *Manager) Init(ctx context.Context) error {
	if err := m.checkLogins(ctx); err != nil {
		return err
	}
	if err := m.checkRegistrySchema(ctx); err != nil {
		return err
	}
	if err := m.createRegistrySchema(ctx); err != nil {
		return err
	}
	if err := m.cfg.Migrator.Migrate(ctx, m.RegistrySchema()); err != nil {
		return fmt.Errorf("migrate the registry: %w", err)
	}
	role, err := schemactx.QuoteName(m.cfg.RegistryRoles.Public())
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, m.registry, func(tx pgx.Tx) error {
		// One string is one round trip. The lock serializes two sessions that grant at the same time:
		// without it, PostgreSQL answers one of them with "tuple concurrently updated". It is a table
		// lock, so that no tenant can take it. Its mode conflicts with itself, and not with reads and
		// writes of rows.
		_, err := tx.Exec(ctx, `lock table {registry}.drop_requests in share update exclusive mode;
			revoke all on {registry}.tenants, {registry}.domains from `+role+`;
			grant select (`+publicTenantColumns+`) on {registry}.tenants to `+role+`;
			grant select (`+publicDomainColumns+`) on {registry}.domains to `+role)
		return err
	})
	if err != nil {
		return fmt.Errorf("grant reading of the registry: %w", err)
	}
	return m.deleteStaleLocks(ctx)
}

// checkLogins checks, before Init creates anything, that its pools are logged in as the owner role.
// An object that another role creates belongs to that role, and the owner role could neither
// migrate nor grant it later.
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

// checkSession is checkOwner for one connection. Each operation calls it, because a program may not
// have called Init. If the server has reported the owner role as the session's login, checkSession
// makes no query. A pooler may report no login.
func checkSession(ctx context.Context, conn *pgx.Conn, roles schemactx.RoleNames) error {
	if conn.PgConn().ParameterStatus("session_authorization") == roles.Owner() {
		return nil
	}
	return checkOwner(ctx, conn, roles)
}

// checkServer is checkSession for the pool of the tenants' schemas. It runs before a schema is
// created.
func (m *Manager) checkServer(ctx context.Context, server *pgxpool.Pool) error {
	if server == m.registry.Pool {
		return nil // the lock has checked this pool
	}
	return server.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		return checkSession(ctx, conn.Conn(), m.cfg.Roles)
	})
}

// queryer is a pool or a connection.
type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// checkOwner returns an error unless db works as the owner role and the public role exists.
func checkOwner(ctx context.Context, db queryer, roles schemactx.RoleNames) error {
	var role string
	var super, owner, public bool
	err := db.QueryRow(ctx, `select rolname, rolsuper, exists (select from pg_catalog.pg_roles where rolname = $1),
			exists (select from pg_catalog.pg_roles where rolname = $2)
		from pg_catalog.pg_roles where rolname = current_user`, roles.Owner(), roles.Public()).
		Scan(&role, &super, &owner, &public)
	switch {
	case err != nil:
		return fmt.Errorf("read the role of the registry's login: %w", err)
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

// checkConfigured refuses a pool that is configured with the runtime login.
func checkConfigured(pool *pgxpool.Pool, roles schemactx.RoleNames) error {
	if login := pool.Config().ConnConfig.User; login == roles.Runtime() {
		return &schemactx.LoginError{Login: login, Kind: schemactx.LoginRuntime, Want: roles.Owner()}
	}
	return nil
}

func initialized(err error) error { return registrydb.Initialized(err) }

// initializedQuerier is a [Querier] that returns [ErrNotInitialized] if the registry does not
// exist.
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

// Err returns the error that ended the query, as [ErrNotInitialized] where that applies.
func (r initializedRows) Err() error { return initialized(r.Rows.Err()) }
