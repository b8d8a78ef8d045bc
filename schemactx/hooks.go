package schemactx

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// Hooks are called by a [DB] while it works. Each may be nil. They run on the goroutine that uses
// the DB, which waits for them, and must be safe for concurrent use. A hook must not use the DB
// with the context that it is given. That context is the one of the call; ScopeEnd gets the one of
// the call that began the unit of work. No hook is called for what is refused before it gets a
// connection, such as [ErrNoSchema], [ErrSchemaMismatch] or [LimitError].
//
// If a hook panics or calls [runtime.Goexit], the unit of work is abandoned, as for a tracer, a
// callback or a value that panics. Its connection is closed, which rolls back a transaction.
// Everything that it held is released before the panic reaches the caller. The methods of a [Tx]
// then return [ErrTransactionEnded] or [pgx.ErrTxClosed].
type Hooks struct {
	// ScopeStart is called when a unit of work has a connection, before its first statement.
	ScopeStart func(ctx context.Context, data ScopeStart)
	// ScopeEnd is called when a unit of work has returned its connection. There is one for each
	// ScopeStart.
	ScopeEnd func(ctx context.Context, data ScopeEnd)
	// StatementEnd is called when a statement, a batch or a copy has ended, with or without an error,
	// and after StatementFailure. It is not called for the commands that begin, end and guard a
	// transaction.
	StatementEnd func(ctx context.Context, data StatementEnd)
	// SchemaSwitch is called once for each call of [WithSchema] or [WithPublic] under which a unit of
	// work begins, when the first one begins. Such code names its schema explicitly instead of taking
	// it from the request. See [LogSwitches].
	SchemaSwitch func(ctx context.Context, data SchemaSwitch)
	// StatementFailure is called when a statement, a batch, a copy or a commit ends with an error of
	// the server or of this package. It does not get the arguments of the statement, because they are
	// data of the tenant.
	StatementFailure func(ctx context.Context, data StatementFailure)
}

// ScopeStart is the data of [Hooks].ScopeStart.
type ScopeStart struct {
	Schema string
	PID    uint32        // of the server process
	Waited time.Duration // for a place within [Limits].MaxConns and for a connection of the pool
}

// ScopeEnd is the data of [Hooks].ScopeEnd.
type ScopeEnd struct {
	Schema string
	PID    uint32 // of the server process
	Closed bool   // the connection was closed and not returned to the pool
}

// StatementEnd is the data of [Hooks].StatementEnd.
type StatementEnd struct {
	Schema     string
	Statements int   // 1, or the number of statements in a batch
	Err        error // nil on success, else as in [StatementFailure]
}

// SchemaSwitch is the data of [Hooks].SchemaSwitch.
type SchemaSwitch struct {
	Schema string // the name given to WithSchema; "public" for WithPublic
	From   string // the schema of the context given to WithSchema; "" without one
	File   string // the file that calls WithSchema
	Line   int    // in File
	Func   string // the function that calls WithSchema, with the path of its package
}

// StatementFailure is the data of [Hooks].StatementFailure.
type StatementFailure struct {
	Schema string
	SQL    string // "" for a batch and a copy
	Err    error  // in a transaction, not yet wrapped in ErrTransactionEnded
}

// Stats are counts since a [DB] was created, of all schemas together.
type Stats struct {
	Explicit  int64 // calls of WithSchema and WithPublic that [Hooks].SchemaSwitch describes
	Switches  int64 // units of work on a connection that last served another schema or none
	Scrubs    int64 // switches before which the session state of another tenant was removed
	Destroyed int64 // connections closed because their state was unknown or had changed
	Hits      int64 // statements that were already prepared
	Misses    int64 // statements that had to be prepared
	Evicted   int64 // prepared statements removed to make room
	Retries   int64 // transactions that were run again
}

type counters struct {
	explicit, switches, scrubs, destroyed, hits, misses, evicted, retries atomic.Int64
}

// Stats returns the counts. They are read one after another, not at one moment, and never decrease.
func (db *DB) Stats() Stats {
	return Stats{
		Explicit:  db.stats.explicit.Load(),
		Switches:  db.stats.switches.Load(),
		Scrubs:    db.stats.scrubs.Load(),
		Destroyed: db.stats.destroyed.Load(),
		Hits:      db.stats.hits.Load(),
		Misses:    db.stats.misses.Load(),
		Evicted:   db.stats.evicted.Load(),
		Retries:   db.stats.retries.Load(),
	}
}

// scopeStart reports the beginning of a unit of work in the scope for c to the hooks.
func (db *DB) scopeStart(ctx context.Context, u *unitOfWork, c *scopeContext) {
	h := &db.cfg.Hooks
	if c.site != nil {
		db.schemaSwitch(ctx, c)
	}
	if h.ScopeEnd != nil {
		u.ctx, u.pid = ctx, u.conn.PgConn().PID() // first: ScopeEnd follows even if ScopeStart panics
	}
	if h.ScopeStart != nil {
		h.ScopeStart(ctx, ScopeStart{Schema: u.scope.schema, PID: u.conn.PgConn().PID(), Waited: time.Since(u.asked)})
	}
}

// schemaSwitch counts the call site of c once, and reports it to a hook once.
func (db *DB) schemaSwitch(ctx context.Context, c *scopeContext) {
	if !c.site.counted.Swap(true) {
		db.stats.explicit.Add(1)
	}
	if h := db.cfg.Hooks.SchemaSwitch; h != nil && !c.site.reported.Swap(true) {
		frame, _ := runtime.CallersFrames([]uintptr{c.site.pc}).Next()
		from, _ := FromContext(c.Context)
		h(ctx, SchemaSwitch{Schema: c.schema, From: from, File: frame.File, Line: frame.Line, Func: frame.Function})
	}
}

func (db *DB) scopeEnd(u *unitOfWork, closed bool) {
	if h := db.cfg.Hooks.ScopeEnd; h != nil && u.ctx != nil {
		h(u.ctx, ScopeEnd{Schema: u.scope.schema, PID: u.pid, Closed: closed})
	}
}

func (db *DB) statementFailure(ctx context.Context, schema, sql string, err error) {
	if h := db.cfg.Hooks.StatementFailure; h != nil {
		h(ctx, StatementFailure{Schema: schema, SQL: sql, Err: err})
	}
}

func (db *DB) statementEnd(ctx context.Context, schema string, statements int, err error) {
	if h := db.cfg.Hooks.StatementEnd; h != nil {
		h(ctx, StatementEnd{Schema: schema, Statements: statements, Err: err})
	}
}
