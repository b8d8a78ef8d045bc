package schemactx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config says how a [DB] isolates. The zero value is the default: isolation by roles.
type Config struct {
	// Level is the isolation level. Default: [Roles].
	Level Level

	// Roles are the names of the database's roles, as given to [Setup]. Default:
	// [DefaultRoleNames] of the database that the pool connects to. Set it where the pool
	// reaches the database under another name, as through a pooler. Not used at [PathOnly].
	Roles RoleNames

	// StatementCacheCapacity is how many prepared statements a connection keeps, of all
	// schemas together; the least recently used are deallocated. Default: 512. It has no
	// meaning where the pool's default mode is [pgx.QueryExecModeExec] or
	// [pgx.QueryExecModeSimpleProtocol]: statements then stay unnamed, which is what
	// poolers without prepared statements need.
	StatementCacheCapacity int
}

func (c Config) withDefaults(pool *pgxpool.Pool) Config {
	if c.Roles == (RoleNames{}) {
		c.Roles = DefaultRoleNames(pool.Config().ConnConfig.Database)
	}
	c.StatementCacheCapacity = cmp.Or(c.StatementCacheCapacity, 512)
	return c
}

func (c Config) validate() error {
	if c.Level != Roles && c.Level != PathOnly {
		return fmt.Errorf("schemactx: unknown isolation level %d", c.Level)
	}
	if c.StatementCacheCapacity < 0 {
		return fmt.Errorf("schemactx: statement cache capacity %d is negative", c.StatementCacheCapacity)
	}
	return nil
}

// DB is a pool of connections on which every statement runs in the schema of its context.
// Its methods are those of [pgxpool.Pool] and are safe for concurrent use; without a schema
// in the context each returns [ErrNoSchema].
type DB struct {
	pool   *pgxpool.Pool
	cfg    Config
	mode   pgx.QueryExecMode // of the pool
	scopes sync.Map          // of *scope by schema: those that the server has accepted
	public *scope
}

// New returns a DB on pool, whose login is the runtime login (see [Setup]). It does not
// connect and does not close the pool. The error is a configuration that makes no sense.
func New(pool *pgxpool.Pool, cfg Config) (*DB, error) {
	if pool == nil {
		return nil, errors.New("schemactx: pool is nil")
	}
	cfg = cfg.withDefaults(pool)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	public, err := newScope(Public, cfg.Roles, cfg.Level)
	if err != nil {
		return nil, err
	}
	return &DB{pool: pool, cfg: cfg, mode: pool.Config().ConnConfig.DefaultQueryExecMode, public: public}, nil
}

// Exec runs one statement in the schema of ctx and returns its command tag. It is a
// transaction of its own and costs one round trip; two when the connection sees the
// statement in this schema for the first time.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

// Query runs one statement in the schema of ctx, as [DB.Exec] does, and returns its rows.
// They hold a connection until they are closed, which reading them to the end does. The
// rows' Conn method returns nil: a connection outside of its scope is not to be had.
//
// The options of [pgx.Conn.Query] may come first in args. [pgx.QueryExecModeSimpleProtocol]
// is taken as [pgx.QueryExecModeExec]; the modes that prepare are all one here.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	u, err := db.newUnit(ctx)
	if err != nil {
		return failedRows{err}, err
	}
	rows, err := u.query(ctx, sql, args)
	if err != nil {
		u.release()
		return failedRows{err}, err
	}
	return rows, nil
}

// QueryRow runs one statement as [DB.Query] does and returns its first row. Errors wait
// for Scan, which returns [pgx.ErrNoRows] where there is no row.
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, _ := db.Query(ctx, sql, args...) // the error is in rows too
	return row{rows}
}

// scope returns the scope that ctx asks for.
func (db *DB) scope(ctx context.Context) (*scope, error) {
	c, ok := ctx.Value(contextKey{}).(*scopeContext)
	switch {
	case !ok:
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
	return newScope(c.schema, db.cfg.Roles, db.cfg.Level)
}

// accepted keeps a scope that the server has let in. Others are not kept: names that lead
// nowhere must not fill the memory.
func (db *DB) accepted(sc *scope) {
	if sc != db.public {
		db.scopes.LoadOrStore(sc.schema, sc)
	}
}
