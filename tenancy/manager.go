package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// Migrator brings one schema up to date. [github.com/oryne/pgtenant/migrate.Runner] is one. Where
// it has a method SearchPath(schema string) (string, error), as a Runner has, a schema name that
// this refuses is not given to a tenant.
type Migrator interface {
	// Migrate applies what is pending in schema; in the registry's, the shared migrations. It
	// can be run again after any failure and by several processes at once.
	Migrate(ctx context.Context, schema string) error
}

// Config says how a [Manager] works.
type Config struct {
	// Migrator brings schemas up to date: that of the registry in the registry's database, all others
	// where Schemas connects to. Required.
	Migrator Migrator

	// RegistrySchema is the schema of the registry and of the other shared migrations. It is for a
	// program whose public schema already has tables such as tenants or domains. [Manager.Init] makes
	// it. A database has one registry, and a registry stays in its schema. What reads the registry
	// needs the same name: see [Registry.InSchema], platformuser.Store.InSchema, and the
	// configurations of packages resolver and audit. Default: the Migrator's, if it is a
	// [SharedSchemaMigrator], else public.
	RegistrySchema string

	// Schemas is the pool in which tenants' schemas are made and changed, logged in as the owner
	// role of [admin.Setup] there. Default: the registry's pool.
	Schemas *pgxpool.Pool

	// Roles are the names of the database's roles, as given to [admin.Setup]. Default:
	// [schemactx.DefaultRoleNames] of the database that Schemas connects to.
	Roles schemactx.RoleNames

	// RegistryRoles are the names of the roles of the registry's database, whose public role
	// [Manager.Init] lets read it. Default: Roles, or where Schemas connects to another database
	// [schemactx.DefaultRoleNames] of the registry's.
	RegistryRoles schemactx.RoleNames

	// Seed puts the first rows into a new tenant's tables. It is called after the migrations and
	// before the tenant is active, with a context that names the tenant; a create that failed or was
	// killed calls it again, so it has to bear what it has done already. The context ends with the
	// call. The tenant's lock is held meanwhile: operations of the manager on tenants are [ErrNested].
	// Default: none.
	Seed func(ctx context.Context, t *Tenant) error

	// Drop says whether tenants can be dropped, and what that takes. Default: they cannot be.
	Drop DropConfig

	// Domains proves that a domain is the tenant's that claims it, for [Manager.VerifyDomain].
	// Default: a [DNSVerifier].
	Domains DomainVerifier

	// Stock keeps tenants ready for instant sign-up, see [Manager.Claim]. Default: none.
	Stock StockConfig

	// Hooks are called as the manager works. Default: none.
	Hooks Hooks

	// Plans returns the names of the configured plans, such as Names of ratelimit.Plans.
	// [Manager.Update] refuses other names, except the empty one and the one that the tenant has. A
	// restored tenant keeps the plan that it had. Plans is called for each check, also
	// concurrently. Default: nil, a plan may have any name.
	Plans func() []string

	// Logger gets a record for each step of a tenant's life. Nil discards.
	Logger *slog.Logger
}

// reader is the name under which a [Manager] embeds its [Registry], so that no caller can replace
// it.
type reader = Registry

// Manager makes and changes tenants. It has the methods of [Registry]. It is safe for concurrent
// use, also by several processes on one database: operations on one tenant wait for each other.
//
// An operation on a tenant keeps one connection of the registry's pool until it ends, and leaves
// the last one to others. The session of that connection holds the tenant's lock, a row of the
// registry that names the session. So the pool must not lead through a pooler that gives
// transactions out to different sessions. The lock is not an advisory lock, because every role of a
// database can take every advisory lock. A lock whose session has ended, or was reset by a pooler
// in session mode, is taken over. LOCKS.md, beside this file, has the order of all locks. The
// operation also writes the registry on that connection. If the connection ends, so does the
// operation, before it writes again and within seconds in a step that takes long: see
// [ErrLockLost].
//
// Each change of a tenant or a domain notifies the directories. Every role can fill PostgreSQL's
// queue of notifications, which belongs to the whole server. While the queue is more than a quarter
// full, the registry is changed without a notification, and directories find the change when they
// read everything again (Config.Reconcile of package resolver).
type Manager struct {
	*reader  // its methods read the registry with the privileges of the owner
	registry *registrydb.Pool
	schemas  *pgxpool.Pool
	cfg      Config
	taken    chan struct{} // holds one while the stock may have shrunk
}

// New returns a manager that works through registry, a pool logged in as the owner role of
// [admin.Setup], with at least two connections. It does not connect and does not close
// the pool. Several managers may share one. A pool of the runtime login is a
// [schemactx.LoginError]. For a pool of a superuser or of another role, each operation that changes
// a tenant or makes a schema returns that error before it makes anything.
func New(registry *pgxpool.Pool, cfg Config) (*Manager, error) {
	if registry == nil {
		return nil, errors.New("tenancy: pool is nil")
	}
	if cfg.Migrator == nil {
		return nil, errors.New("tenancy: Config.Migrator is nil")
	}
	var err error
	if cfg.Drop, err = cfg.Drop.withDefaults(); err != nil {
		return nil, err
	}
	if cfg.Stock, err = cfg.Stock.withDefaults(cfg.Migrator); err != nil {
		return nil, err
	}
	if registry.Config().MaxConns < 2 {
		return nil, errors.New("tenancy: the pool has one connection, which would wait for itself; give it two")
	}
	cfg.Schemas = cmp.Or(cfg.Schemas, registry)
	if cfg.Roles == (schemactx.RoleNames{}) {
		cfg.Roles = schemactx.DefaultRoleNames(cfg.Schemas.Config().ConnConfig.Database)
	}
	if cfg.RegistryRoles == (schemactx.RoleNames{}) {
		cfg.RegistryRoles = cfg.Roles
		if !sameDatabase(registry, cfg.Schemas) {
			cfg.RegistryRoles = schemactx.DefaultRoleNames(registry.Config().ConnConfig.Database)
		}
	}
	if err := cmp.Or(checkConfigured(registry, cfg.RegistryRoles), checkConfigured(cfg.Schemas, cfg.Roles)); err != nil {
		return nil, err
	}
	schema, err := cfg.registrySchema()
	if err != nil {
		return nil, fmt.Errorf("tenancy: %w", err)
	}
	if cfg.Domains == nil {
		cfg.Domains = DNSVerifier{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	db := schema.Pool(registry)
	return &Manager{
		reader:   &Registry{db: initializedQuerier{db}, details: true},
		registry: db,
		schemas:  cfg.Schemas,
		cfg:      cfg,
		taken:    make(chan struct{}, 1),
	}, nil
}

func sameDatabase(a, b *pgxpool.Pool) bool {
	x, y := a.Config().ConnConfig, b.Config().ConnConfig
	return x.Host == y.Host && x.Port == y.Port && x.Database == y.Database
}

// Init applies the shared migrations, which make the registry, and lets the public role of its
// database read what leads a request to its tenant. It can be run again, by several processes at
// once, and a program runs it at every start.
//
// If a pool, also that of a [RoleMigrator], is not logged in as the owner but, for instance, as a
// superuser, or if [admin.Setup] has not run in the database or has made roles with other names,
// Init makes nothing and returns a [schemactx.LoginError] or, without the public role,
// [schemactx.ErrNotProvisioned]. Nor does it if the registry's schema has tables of another
// program, or the registry is in another schema: a [RegistrySchemaError].
func (m *Manager) Init(ctx context.Context) error {
	if err := m.checkLogins(ctx); err != nil {
		return err
	}
	if err := m.checkRegistrySchema(ctx); err != nil {
		return err
	}
	if err := m.makeRegistrySchema(ctx); err != nil {
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
		// One string is one round trip. The lock is for two who grant at once, which PostgreSQL
		// answers with "tuple concurrently updated"; it is a table's, so that no tenant can take it,
		// and of the mode that is in nobody's way but its own.
		_, err := tx.Exec(ctx, `lock table {registry}.drop_requests in share update exclusive mode;
			revoke all on {registry}.tenants, {registry}.domains from `+role+`;
			grant select (`+publicTenantColumns+`) on {registry}.tenants to `+role+`;
			grant select (`+publicDomainColumns+`) on {registry}.domains to `+role)
		return err
	})
	if err != nil {
		return fmt.Errorf("grant reading of the registry: %w", err)
	}
	return m.forgetLocks(ctx)
}

// server returns the pool of the server that holds the tenant's schema.
func (m *Manager) server(t *Tenant) (*pgxpool.Pool, error) {
	if t.Placement != "default" {
		return nil, fmt.Errorf("%w: %q", ErrPlacement, t.Placement)
	}
	return m.schemas, nil
}
