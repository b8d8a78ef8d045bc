package schemactx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config configures a [DB]. The zero value is valid: isolation at level [Roles].
type Config struct {
	// Level is the isolation level. Default: [Roles].
	Level Level

	// Roles are the names of the database's roles, as given to admin.Setup. Default:
	// [DefaultRoleNames] of the database that the pool connects to. Set it if the pool connects to
	// another database name, as through a pooler. Not used at level [PathOnly].
	Roles RoleNames

	// ExtraSearchPath lists schemas whose objects every scope finds without a schema name. It is for
	// schemas of extensions, whose operators cannot be found otherwise, and for reference tables that
	// tenants share. They follow the scope's own schema on the search path, in this order.
	// [SearchPath] says which names are allowed. Give the same list to admin.SetupConfig,
	// admin.CheckConfig and package migrate.
	//
	// The functions in such a schema run for every tenant, so neither tenants nor PUBLIC may create
	// objects there; admin.Check reports it if they may. It also reports a schema that does not exist,
	// which PostgreSQL ignores without an error. Default: none.
	ExtraSearchPath []string

	// Types names the types that statements use as arguments or in results: enums, domains, composites
	// (tables included), ranges, multiranges, and types of extensions, which are sent as text. Their
	// arrays and the types that they consist of are included. A name without a schema is looked up in
	// the schema of the scope, and "extensions.citext" in the schema extensions. Names are written as
	// in pg_type, without quotes.
	//
	// Each connection loads the types once for each schema. That costs one round trip before the first
	// statement that has such a type. The codecs are those that [pgx.Conn.LoadTypes] makes: []Mood can
	// be passed to any($1::mood[]), and a composite can be scanned into a struct. A type that a schema
	// does not have is no error. A type that is created or recreated later is noticed. Call
	// [DB.Refresh] after a composite type has been altered. A connection keeps the types of 64
	// schemas.
	//
	// In a mode without prepared statements ([pgx.QueryExecModeExec]) the types are loaded before the
	// first statement in the schema. Arguments are then sent as text, and the server infers their
	// types. If pgx cannot encode an argument without its type, such as []Mood or a struct, the server
	// is asked for it, which costs one more round trip. Default: none, at no cost.
	Types []string

	// StatementCacheCapacity is the number of prepared statements that a connection keeps, of all
	// schemas together. The least recently used ones are deallocated. Default: 512. It is not used if
	// the pool's default mode is [pgx.QueryExecModeExec] or [pgx.QueryExecModeSimpleProtocol].
	// Statements then have no name, as poolers without prepared statements need.
	StatementCacheCapacity int

	// Limits returns the limits of a tenant. It is called for each unit of work until the server has
	// accepted the schema, and again after [DB.Refresh]. It must be safe for concurrent use, and fast,
	// because the unit of work waits for it. Default: nil, no limits.
	Limits func(schema string) Limits

	// Lanes is the number of pools among which the DB divides the connections. Each is configured like
	// the pool given to [New], and together they have its number of connections. A tenant has one
	// preferred lane and uses another one while that is busy. The pool itself then serves public
	// scopes only. Lanes help if all tenants together use more statements than StatementCacheCapacity;
	// if all of them fit, lanes cost a little. BENCHMARKS.md has figures. Not allowed at level
	// [Logins], where each tenant has a pool. Default: 0, no lanes.
	Lanes int

	// Logins configures how tenants log in at level [Logins]. Not used at other levels.
	Logins LoginsConfig

	// ServerLog selects how PostgreSQL's own log shows the tenant of each statement. Default:
	// [ServerLogOff].
	ServerLog ServerLog

	// RequestID returns the id of the request that ctx belongs to, or "" for none. It needs
	// [ServerLogApplicationName], whose name is then "tenant_2/id", cut to 63 bytes. It is called once
	// at the beginning of each unit of work and must be safe for concurrent use. An id with other
	// characters than letters, digits and "-_.:=+" is ignored. Not allowed with [ServerLogComment] or
	// at level [Logins]. Default: nil, no ids.
	RequestID func(ctx context.Context) string

	// Hooks are called while the DB works. Default: none.
	Hooks Hooks
}

func (c Config) withDefaults(pool *pgxpool.Pool) Config {
	if c.Roles == (RoleNames{}) {
		c.Roles = DefaultRoleNames(pool.Config().ConnConfig.Database)
	}
	c.StatementCacheCapacity = cmp.Or(c.StatementCacheCapacity, 512)
	c.ExtraSearchPath = slices.Clone(c.ExtraSearchPath)
	return c
}

func (c Config) validate() error {
	if c.Level < Roles || c.Level > Logins {
		return fmt.Errorf("schemactx: unknown isolation level %d", c.Level)
	}
	if c.StatementCacheCapacity < 0 {
		return fmt.Errorf("schemactx: statement cache capacity %d is negative", c.StatementCacheCapacity)
	}
	if err := c.validateServerLog(); err != nil {
		return err
	}
	switch {
	case c.Lanes < 0:
		return fmt.Errorf("schemactx: %d lanes", c.Lanes)
	case c.Level == Logins && c.Lanes > 0:
		return errors.New("schemactx: level Logins has a pool for each tenant and no lanes")
	case c.Level == Logins:
		return c.Logins.validate()
	}
	return nil
}

// DB is a pool of connections on which every statement runs in the schema of its context. The
// methods that run SQL are those of [pgxpool.Pool]. Without a schema in the context each of them
// returns [ErrNoSchema]. All are safe for concurrent use.
//
// ctx governs the wait for a connection and the statement, up to the end of its rows. If ctx ends
// during a statement, the connection is closed, as in pgx. Every statement runs in a transaction.
// VACUUM, CREATE INDEX CONCURRENTLY and other commands that cannot run in one need a separate
// connection with the owner's login.
type DB struct {
	pool       *pgxpool.Pool
	cfg        Config
	types      []qualifiedType   // of Config.Types
	mode       pgx.QueryExecMode // of the pool
	scopes     sync.Map          // of *scope by schema; only scopes that the server has accepted
	fresh      freshness
	catalog    catalog
	public     *scope
	semaphores semaphores
	logins     *loginPools // nil except at level Logins
	lanes      *lanes      // nil if Config.Lanes is 0
	stats      counters
	tracers    tracers
}

// tracers are the interfaces that the pool's tracer implements. They see the statements of tenants
// as pgx shows them, without the scope around them.
type tracers struct {
	query    pgx.QueryTracer
	batch    pgx.BatchTracer
	copyFrom pgx.CopyFromTracer
	prepare  pgx.PrepareTracer
}

// New returns a DB on pool, whose login must be the runtime login (see admin.Setup). New does not
// connect and never closes the pool. It returns an error for an invalid configuration, and a
// [LoginError] if the pool's login is the owner. Whether the login is a superuser is known on the
// first connection. If it is, each unit of work returns a LoginError and sends no statement. Level
// [PathOnly] accepts any login. Close the DB at level [Logins] and with lanes, because it then has
// pools of its own.
//
// Put settings of the session into the pool's RuntimeParams. What its AfterConnect hook sets with
// SET is lost when a connection is scrubbed between two tenants. The pool's tracer sees the
// statements of tenants like any others.
func New(pool *pgxpool.Pool, cfg Config) (*DB, error) {
	if pool == nil {
		return nil, errors.New("schemactx: pool is nil")
	}
	cfg = cfg.withDefaults(pool)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	conn := pool.Config().ConnConfig
	db := &DB{pool: pool, cfg: cfg, mode: conn.DefaultQueryExecMode, catalog: catalog{start: time.Now()}}
	err := db.checkLogin("", conn.User)
	if err != nil {
		return nil, err
	}
	if db.types, err = parseTypes(cfg.Types); err != nil {
		return nil, err
	}
	db.tracers.query = conn.Tracer
	db.tracers.batch, _ = conn.Tracer.(pgx.BatchTracer)
	db.tracers.copyFrom, _ = conn.Tracer.(pgx.CopyFromTracer)
	db.tracers.prepare, _ = conn.Tracer.(pgx.PrepareTracer)
	if db.public, err = newScope(Public, db.role(Public), cfg.ExtraSearchPath, Limits{}, cfg.ServerLog); err != nil {
		return nil, err
	}
	switch {
	case cfg.Level == Logins:
		db.logins = newLoginPools(pool, cfg, &db.fresh)
	case cfg.Lanes > 0:
		if db.lanes, err = newLanes(pool, cfg.Lanes); err != nil {
			return nil, err
		}
	}
	return db, nil
}

// Close closes the pools that the DB has opened, at level [Logins] and with lanes, and waits until
// their connections are returned. It does not close the pool given to [New]. Later units of work of
// tenants on these pools fail, at level [Logins] with [ErrClosed].
func (db *DB) Close() {
	if db.lanes != nil {
		db.lanes.close()
	}
	if db.logins != nil {
		db.logins.close()
	}
}

// Exec runs one statement in the schema of ctx, in its own transaction, and returns the command
// tag. It costs one round trip, and a second one the first time a connection prepares the statement
// for this schema.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	s, err := db.query(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	s.Close()
	return s.tag, s.err
}

// Query runs one statement in the schema of ctx, as [DB.Exec] does, and returns its rows. The rows
// hold a connection until they are closed or read to the end. Later errors are returned by the
// rows. Their Conn method returns nil, because a connection must not be used outside of its scope.
//
// The options of [pgx.Conn.Query] may come first in args. [pgx.QueryExecModeSimpleProtocol] is
// treated as [pgx.QueryExecModeExec]. All modes that prepare statements behave alike. A
// [pgx.QueryRewriter] is given a nil connection.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s, err := db.query(ctx, sql, args)
	if err != nil {
		return failedRows{err}, err
	}
	return s, nil
}

// QueryRow runs one statement as [DB.Query] does and returns its first row. Scan returns the error
// of the statement, or [pgx.ErrNoRows] if there is no row.
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	s, err := db.query(ctx, sql, args)
	if err != nil {
		return failedRows{err}
	}
	return (*firstRow)(s)
}

func (db *DB) query(ctx context.Context, sql string, args []any) (*statement, error) {
	s := &statement{}
	s.unitOfWork = &s.alone
	if err := s.open(ctx, db); err != nil {
		return nil, err
	}
	done := false
	defer s.abandonUnless(&done)
	err := s.run(ctx, sql, args)
	done = true
	if err != nil {
		return nil, err
	}
	return s, nil
}

// named reports whether the pool's default mode allows named prepared statements.
func (db *DB) named() bool {
	return db.mode != pgx.QueryExecModeExec && db.mode != pgx.QueryExecModeSimpleProtocol
}

// scope returns the scope for c. c is nil for a context without a schema.
func (db *DB) scope(c *scopeContext) (*scope, error) {
	switch {
	case c == nil:
		return nil, ErrNoSchema
	case c.public:
		return db.public, nil
	}
	if sc, ok := db.scopes.Load(c.schema); ok {
		return sc.(*scope), nil
	}
	if err := ValidateName(c.schema); err != nil {
		return nil, err
	}
	return db.buildScope(c.schema)
}

// schemaOf returns the schema of c without building its scope.
func schemaOf(c *scopeContext) (string, error) {
	switch {
	case c == nil:
		return "", ErrNoSchema
	case c.public:
		return Public, nil
	}
	return c.schema, ValidateName(c.schema)
}

func (db *DB) buildScope(schema string) (sc *scope, err error) {
	age := db.fresh.age.Load() // before Limits is called: a Refresh meanwhile outdates this scope
	var limits Limits
	if db.cfg.Limits != nil {
		limits = db.cfg.Limits(schema)
	}
	if db.logins != nil {
		sc, err = newLoginScope(schema, db.cfg.ExtraSearchPath, limits, db.cfg.ServerLog)
	} else {
		sc, err = newScope(schema, db.role(schema), db.cfg.ExtraSearchPath, limits, db.cfg.ServerLog)
	}
	if err != nil {
		return nil, err
	}
	sc.age = age
	return sc, nil
}

// role returns the role that a scope of schema sets, or "" for none.
func (db *DB) role(schema string) string {
	switch {
	case db.cfg.Level == PathOnly:
		return ""
	case schema == Public:
		return db.cfg.Roles.Public()
	}
	return db.cfg.Roles.Tenant(schema)
}

// accepted keeps a scope that the server has accepted. Other scopes are not kept, so names of
// schemas that do not exist cannot fill the memory. A scope with limits from before a Refresh is
// not kept either.
func (db *DB) accepted(sc *scope) {
	if sc != db.public && !sc.kept.Load() {
		sc.kept.Store(true)
		db.fresh.mu.Lock()
		defer db.fresh.mu.Unlock()
		if db.fresh.is(sc) {
			db.scopes.LoadOrStore(sc.schema, sc)
		}
	}
}

// freshness identifies scopes that were built before the last Refresh of any tenant. They are
// rebuilt when they are next needed.
type freshness struct {
	mu  sync.Mutex // held while a scope is stored and while age is increased
	age atomic.Uint64
}

func (f *freshness) is(sc *scope) bool { return sc.age == f.age.Load() }

// Refresh makes the DB forget what it knows about a tenant. It calls [Config].Limits again,
// prepares statements again, loads the types of [Config].Types again, and at level [Logins]
// replaces the tenant's pool. Before the next statement in each schema it also reads the catalogs
// again for what functions may do to a session; see FUNCTIONS.md. Call Refresh when a tenant's
// limits or password have changed, when its schema has been migrated, or when the tenant has been
// removed.
//
// Without Refresh, the server refuses a statement whose columns a migration has changed ("cached
// plan must not change result type", 0A000), once on each connection. The DB then prepares and
// sends it once more if it is a single statement, a batch, or the first statement of a transaction.
// It returns the error for a later statement in a transaction, which [TxOptions].MaxRetries
// retries, and for a batch of which the caller has already read a result.
//
// Units of work that are running are not affected. A new MaxConns applies once the tenant holds no
// connection.
func (db *DB) Refresh(schema string) {
	db.fresh.mu.Lock()
	db.fresh.age.Add(1)
	db.scopes.Delete(schema)
	db.fresh.mu.Unlock()
	db.catalog.forget()
	if db.logins != nil {
		db.logins.refresh(schema)
	}
}
