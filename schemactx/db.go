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

// Config says how a [DB] isolates. The zero value is the default: isolation by roles.
type Config struct {
	// Level is the isolation level. Default: [Roles].
	Level Level

	// Roles are the names of the database's roles, as given to admin.Setup. Default:
	// [DefaultRoleNames] of the database that the pool connects to. Set it where the pool reaches the
	// database by another name, as through a pooler. Not used at [PathOnly].
	Roles RoleNames

	// ExtraSearchPath are schemas whose objects every scope finds without naming the schema: those of
	// extensions, whose operators are found in no other way, and of reference tables that tenants
	// share. They follow the scope's own schema on the path, in this order; see [SearchPath] for the
	// names that are allowed. Give the same list to admin.SetupConfig, admin.CheckConfig and package
	// migrate.
	//
	// What is in such a schema runs for every tenant, so that neither tenants nor PUBLIC may create
	// there: Check refuses it. Check also refuses a schema that does not exist, which PostgreSQL
	// leaves out without an error. Default: none.
	ExtraSearchPath []string

	// Types are the names of types that statements use, as arguments or in results: enums, domains,
	// composites (of tables too), ranges and multiranges, and types of extensions, which travel as
	// text. Their arrays, and what they are made of, come with them. A name is looked for in the
	// schema of the scope, or, with a schema in front ("extensions.citext"), in that one. Names are as
	// in pg_type, without quotes.
	//
	// Each connection loads them once for each schema, in a round trip of its own in front of the
	// first statement that has such a type, and has codecs as [pgx.Conn.LoadTypes] makes them: []Mood
	// goes into any($1::mood[]), a composite into a struct. A type that a schema does not have is no
	// error, and one that is made or made again later is noticed. After a composite type has been
	// altered call [DB.Refresh]. A connection keeps the types of 64 schemas.
	//
	// Statements that stay unnamed ([pgx.QueryExecModeExec]) load them at the first statement in the
	// schema. Their arguments are text, whose type the server infers; for one that pgx cannot write
	// without knowing its type, such as []Mood or a struct, the server is asked first, in one more
	// round trip. Default: none, at no cost.
	Types []string

	// StatementCacheCapacity is how many prepared statements a connection keeps, of all schemas
	// together; the least recently used are deallocated. Default: 512. It has no meaning where the
	// pool's default mode is
	// [pgx.QueryExecModeExec] or [pgx.QueryExecModeSimpleProtocol]: statements then stay unnamed, which is what poolers
	// without prepared statements need.
	StatementCacheCapacity int

	// Limits returns the limits of a tenant. It is called when the schema is used, until the server
	// has let it in for the first time, and again after [DB.Refresh]. It must be safe for concurrent
	// use, and quick: the unit of work waits for it. Default: nil, no limits.
	Limits func(schema string) Limits

	// Lanes divide the connections among tenants: the DB opens so many pools of its own, like the one
	// given to [New] and with its number of connections between them, and a tenant prefers one of them
	// and takes another while that is busy. The pool itself then serves public scopes alone. Lanes pay
	// where more statements are in use, of all tenants together, than StatementCacheCapacity has room
	// for; where all of them fit, they cost a little. BENCHMARKS.md has figures. Not with [Logins],
	// where each tenant has a pool. Default: 0, the pool as it is.
	Lanes int

	// Logins say how tenants log in at level [Logins]; not used otherwise.
	Logins LoginsConfig

	// ServerLog says how PostgreSQL's own log names the tenant of each statement. Default:
	// [ServerLogOff].
	ServerLog ServerLog

	// RequestID returns the id of the request that ctx belongs to, "" for none, with which
	// [ServerLogApplicationName] makes the name "tenant_2/id", cut to 63 bytes. It is called for each
	// unit of work, whose ids count from its beginning on, and must be safe for concurrent use. An id
	// with others than letters, digits and "-_.:=+" is left out. Not with the comment, nor at level
	// [Logins]. Default: nil, no ids.
	RequestID func(ctx context.Context) string

	// Hooks are called as the DB works. Default: none.
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
// methods that run SQL are those of [pgxpool.Pool]; without a schema in the context each returns
// [ErrNoSchema]. All are safe for concurrent use.
//
// ctx governs the wait for a connection and the statement, up to the end of its rows. Where it ends
// in the middle of a statement the connection is closed, as pgx does it. A statement is a
// transaction, or part of one: what cannot run in one, such as VACUUM or CREATE INDEX CONCURRENTLY,
// is the owner's work and needs a connection of the owner's.
type DB struct {
	pool       *pgxpool.Pool
	cfg        Config
	types      []qualifiedType   // of Config.Types
	mode       pgx.QueryExecMode // of the pool
	scopes     sync.Map          // of *scope by schema: those that the server has accepted
	fresh      freshness
	catalog    catalog
	public     *scope
	semaphores semaphores
	logins     *loginPools // nil but at Logins
	lanes      *lanes      // nil without
	stats      counters
	tracers    tracers
}

// tracers are what the pool's tracer can do. They see the statements of tenants as they see plain
// ones.
type tracers struct {
	query    pgx.QueryTracer
	batch    pgx.BatchTracer
	copyFrom pgx.CopyFromTracer
	prepare  pgx.PrepareTracer
}

// New returns a DB on pool, whose login is the runtime login (see admin.Setup). It does not
// connect, and never closes the pool. The error is a configuration that makes no sense, or a
// [LoginError] if the pool's login is the owner. Whether the login is a superuser is known only on
// the first connection: then each unit of work returns a LoginError, and sends no statement. Level
// [PathOnly] accepts any login. Close the DB at level [Logins] and with lanes, where it has pools
// of its own.
//
// Settings of a session belong into the pool's RuntimeParams: what its AfterConnect hook SETs does
// not survive the scrub that comes between two tenants. The tracer of the pool sees the statements
// of tenants as it sees plain ones.
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

// Close closes the pools that the DB has opened, which it does at level [Logins] and with lanes,
// and waits for their connections to come back. The pool given to [New] stays open. A unit of work
// that a tenant begins afterwards fails, at level [Logins] with [ErrClosed].
func (db *DB) Close() {
	if db.lanes != nil {
		db.lanes.close()
	}
	if db.logins != nil {
		db.logins.close()
	}
}

// Exec runs one statement in the schema of ctx and returns its command tag. It is a transaction of
// its own and costs one round trip; two when the connection sees the statement in this schema for
// the first time.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	s, err := db.query(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	s.Close()
	return s.tag, s.err
}

// Query runs one statement in the schema of ctx, as [DB.Exec] does, and returns its rows. They hold
// a connection until they are closed, which reading them to the end does; errors that come later
// are those of the rows. The rows' Conn method returns nil: a connection outside of its scope is
// not to be had.
//
// The options of [pgx.Conn.Query] may come first in args. [pgx.QueryExecModeSimpleProtocol] is
// taken as [pgx.QueryExecModeExec]; the modes that prepare are all one here. A [pgx.QueryRewriter]
// is given a nil connection.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s, err := db.query(ctx, sql, args)
	if err != nil {
		return failedRows{err}, err
	}
	return s, nil
}

// QueryRow runs one statement as [DB.Query] does and returns its first row. Errors wait for Scan,
// which returns [pgx.ErrNoRows] where there is no row.
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

// named reports whether statements may be prepared under names, by the pool's default mode.
func (db *DB) named() bool {
	return db.mode != pgx.QueryExecModeExec && db.mode != pgx.QueryExecModeSimpleProtocol
}

// scope returns the scope that c asks for, which is nil for a context without a schema.
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

// schemaOf is the schema that c names, without the scope.
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
	age := db.fresh.age.Load() // before Limits is asked
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

// role returns the role that a scope sets, "" for none.
func (db *DB) role(schema string) string {
	switch {
	case db.cfg.Level == PathOnly:
		return ""
	case schema == Public:
		return db.cfg.Roles.Public()
	}
	return db.cfg.Roles.Tenant(schema)
}

// accepted keeps a scope that the server has let in. Others are not kept: names that lead nowhere
// must not fill the memory. Nor is one with limits from before a Refresh.
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

// freshness tells scopes that were built before the last Refresh, of any tenant, from others: they
// are built anew when they are needed next.
type freshness struct {
	mu  sync.Mutex // while a scope is kept, or all of an age are given up
	age atomic.Uint64
}

func (f *freshness) is(sc *scope) bool { return sc.age == f.age.Load() }

// Refresh forgets what the DB keeps about a tenant: [Config].Limits is asked again, statements are
// prepared anew, the types of [Config].Types are loaded again, and at level [Logins] the tenant's
// pool is replaced. The catalogs are read again for what the functions of all schemas may do to a
// session, before the next statement in each: FUNCTIONS.md. Call it when a tenant's limits or
// password have changed, when its schema has been migrated, or when the tenant is gone.
//
// Without it the server refuses a statement whose columns a migration has changed ("cached plan
// must not change result type", 0A000), once on each connection. A statement or a batch of its own,
// and the first one of a transaction, is then prepared and sent once more. What remains is an error
// of a later statement in a transaction, which [TxOptions].MaxRetries takes for one that passes,
// and of a batch of which the caller has read a result already.
//
// Units of work that run go on as they are; a new MaxConns holds once the tenant has no connection.
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
