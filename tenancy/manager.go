package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// Config configures a [Manager].
type Config struct {
	// Migrator migrates schemas: the registry's schema in the registry's database, all others in the
	// database that Schemas connects to. Required.
	Migrator Migrator

	// RegistrySchema is the schema of the registry and of the other shared migrations. Set it if the
	// public schema already has tables with names such as tenants or domains. [Manager.Init] creates
	// the schema. A database has one registry, and a registry stays in its schema. Every reader of the
	// registry needs the same name: see [Registry.InSchema], platformuser.Store.InSchema, and the
	// configurations of packages resolver and audit. Default: the Migrator's schema if it is a
	// [SharedSchemaMigrator], else public.
	RegistrySchema string

	// Schemas is the pool that creates and changes the tenants' schemas. It is logged in as the owner
	// role that [admin.Setup] created in its database. Default: the registry's pool.
	Schemas *pgxpool.Pool

	// Roles are the names of the database's roles, as given to [admin.Setup]. Default: those of the
	// Migrator if it is a [RoleNamesMigrator], else [schemactx.DefaultRoleNames] of the database that
	// Schemas connects to.
	Roles schemactx.RoleNames

	// RegistryRoles are the names of the roles of the registry's database. [Manager.Init] lets the
	// public role among them read the registry. Default: Roles if Schemas connects to the registry's
	// database, else [schemactx.DefaultRoleNames] of the registry's database.
	RegistryRoles schemactx.RoleNames

	// Seed inserts the first rows into a new tenant's tables. It is called after the migrations and
	// before the tenant is active, with a context that carries the tenant. Resuming a failed or killed
	// create calls it again, so it must be idempotent. The context ends when Seed returns. The manager
	// holds the tenant's lock during the call: its operations on tenants return [ErrNested]. Default:
	// none.
	Seed func(ctx context.Context, t *Tenant) error

	// Drop says whether tenants can be dropped, and which checks a drop needs. Default: drops are
	// disabled.
	Drop DropConfig

	// Domains checks a tenant's claim of a domain, for [Manager.VerifyDomain]. Default: a
	// [DNSVerifier].
	Domains DomainVerifier

	// Stock keeps tenants ready for instant sign-up, see [Manager.AssignStocked]. Default: none.
	Stock StockConfig

	// Hooks are called before and after each step of an operation. Default: none.
	Hooks Hooks

	// Plans returns the names of the configured plans, such as Names of ratelimit.Plans.
	// [Manager.Update] refuses other names, except the empty one and the tenant's current plan. A
	// restored tenant keeps its plan. Plans is called for each check, also concurrently. Default: nil,
	// a plan may have any name.
	Plans func() []string

	// Logger gets a record for each step of an operation. Nil discards.
	Logger *slog.Logger
}

// reader is the name under which a [Manager] embeds its [Registry]. It is not exported, so that no
// caller can replace the field.
type reader = Registry

// Manager creates, changes and drops tenants. It has the methods of [Registry]. It is safe for
// concurrent use, also by several processes on one database: operations on one tenant wait for each
// other.
//
// An operation on a tenant keeps one connection of the registry's pool until it ends, and leaves
// the last one to others. The session of that connection holds the tenant's lock, a row of the
// registry that names the session. So the pool must not lead through a pooler that gives
// transactions out to different sessions. The lock is not an advisory lock, because every role of a
// database can take every advisory lock. Another operation takes over a lock if its session has
// ended, or if a pooler in session mode has reset the session. LOCKS.md, beside this file, has the
// order of all locks. The operation also writes the registry on that connection. If the connection
// ends, the operation stops before it writes again; a long step stops within seconds: see
// [ErrLockLost].
//
// Each change of a tenant or a domain notifies the directories. Every role can fill PostgreSQL's
// queue of notifications, which belongs to the whole server. While the queue is more than a quarter
// full, changes of the registry send no notification. Directories then find the change when they
// reload everything (Config.Reconcile of package resolver).
type Manager struct {
	*reader  // reads the registry with the privileges of the owner role
	registry *registrydb.Pool
	schemas  *pgxpool.Pool
	cfg      Config
	wake     chan struct{} // holds one element while the stock may have shrunk
}

// New returns a manager that works through registry, a pool logged in as the owner role of
// [admin.Setup], with at least two connections. It does not connect and does not close the pool.
// Several managers may share a pool. For a pool of the runtime login, New returns a
// [schemactx.LoginError]. For a pool of a superuser or of another role, each operation that changes
// a tenant or creates a schema returns that error before it creates anything.
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
	if migrator, ok := cfg.Migrator.(RoleNamesMigrator); ok {
		cfg.Roles = cmp.Or(cfg.Roles, migrator.RoleNames())
	}
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
		wake:     make(chan struct{}, 1),
	}, nil
}

func sameDatabase(a, b *pgxpool.Pool) bool {
	x, y := a.Config().ConnConfig, b.Config().ConnConfig
	return x.Host == y.Host && x.Port == y.Port && x.Database == y.Database
}

// server returns the pool of the server that has the tenant's schema. The error is [ErrPlacement].
func (m *Manager) server(t *Tenant) (*pgxpool.Pool, error) {
	if t.Placement != "default" {
		return nil, fmt.Errorf("%w: %q", ErrPlacement, t.Placement)
	}
	return m.schemas, nil
}

// Roles returns the role names of the database that has the tenants' schemas, see [Config].Roles.
func (m *Manager) Roles() schemactx.RoleNames { return m.cfg.Roles }
