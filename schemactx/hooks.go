package schemactx

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// Hooks are called by a [DB] as it works. Each may be nil. They run on the goroutine that uses the DB, which waits for
// them, and must be safe for concurrent use; a hook must not use the DB under the context it is given. ctx is that of
// the call; Left gets that of the call that began the unit of work. What is refused before it gets to a connection, such
// as [ErrNoSchema], [ErrSchemaMismatch] or [LimitError], is told to no hook.
//
// Where a hook panics or calls [runtime.Goexit], as where a tracer, a callback or a value does, the unit of work is given
// up: its connection is closed, which rolls a transaction back, and all that it held is given back before the panic
// reaches the caller. The methods of a [Tx] then return [ErrTransactionEnded] or [pgx.ErrTxClosed].
type Hooks struct {
	// Entered is called when a unit of work has a connection, before its first statement.
	Entered func(ctx context.Context, data EnteredData)
	// Left is called when a unit of work that was Entered has given its connection back.
	Left func(ctx context.Context, data LeftData)
	// Ran is called when a statement, a batch or a copy has ended, well or not, and after Failed. What opens, ends and
	// guards a transaction is not counted.
	Ran func(ctx context.Context, data RanData)
	// Switched is called once for each call of [WithSchema] or [WithPublic] under which a unit of work is entered, at
	// the first one: code that names its schema by hand instead of having it from the request. See [LogSwitches].
	Switched func(ctx context.Context, data SwitchedData)
	// Failed is called when a statement, a batch, a copy or a commit ends with an error, of the server or of this package.
	// The arguments of the statement are not passed on: they are the tenant's data.
	Failed func(ctx context.Context, data FailedData)
}

// EnteredData is what [Hooks].Entered is told.
type EnteredData struct {
	Schema string
	PID    uint32        // of the server process
	Waited time.Duration // for the connection: behind the tenant's own [Limits].MaxConns, and for the pool
}

// LeftData is what [Hooks].Left is told.
type LeftData struct {
	Schema string
	PID    uint32 // of the server process
	Closed bool   // the connection has been closed instead of going back to the pool
}

// RanData is what [Hooks].Ran is told.
type RanData struct {
	Schema     string
	Statements int   // 1, or the number of statements in a batch
	Err        error // nil if it went well, else as in [FailedData]
}

// SwitchedData is what [Hooks].Switched is told.
type SwitchedData struct {
	Schema string // that was named, "public" by WithPublic
	From   string // the schema of the context that was given to WithSchema; "" without one
	File   string // where WithSchema was called: the file's path, its line, and the function with its package's path
	Line   int
	Func   string
}

// FailedData is what [Hooks].Failed is told.
type FailedData struct {
	Schema string
	SQL    string // "" for a batch and a copy
	Err    error  // in a transaction not yet wrapped in ErrTransactionEnded
}

// Stats are counts since a [DB] was made, of all schemas together.
type Stats struct {
	Explicit  int64 // calls of WithSchema and WithPublic under which a unit of work was entered, see [Hooks].Switched
	Switches  int64 // a connection served another schema than the one before; its first one counts
	Scrubs    int64 // a switch found that the tenant before may have left something, and took it away
	Destroyed int64 // connections closed because they were doubtful
	Hits      int64 // statements that were prepared already
	Misses    int64 // statements that had to be prepared
	Evicted   int64 // prepared statements that had to make room
	Retries   int64 // transactions that were run again
}

type counters struct {
	explicit, switches, scrubs, destroyed, hits, misses, evicted, retries atomic.Int64
}

// Stats returns the counts. They are read one by one, not at one moment, and only grow.
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

// entered tells of a unit of work in the scope that c asks for.
func (db *DB) entered(ctx context.Context, u *unitOfWork, c *scopeContext) {
	h := &db.cfg.Hooks
	if c.site != nil {
		db.switched(ctx, c)
	}
	if h.Left != nil {
		u.ctx, u.pid = ctx, u.conn.PgConn().PID() // first, so that Left follows also where Entered panics
	}
	if h.Entered != nil {
		h.Entered(ctx, EnteredData{Schema: u.scope.schema, PID: u.conn.PgConn().PID(), Waited: time.Since(u.asked)})
	}
}

// switched counts a switch that no DB has counted yet, and tells of one that no hook has heard of.
func (db *DB) switched(ctx context.Context, c *scopeContext) {
	if !c.site.counted.Swap(true) {
		db.stats.explicit.Add(1)
	}
	if h := db.cfg.Hooks.Switched; h != nil && !c.site.reported.Swap(true) {
		frame, _ := runtime.CallersFrames([]uintptr{c.site.pc}).Next()
		from, _ := FromContext(c.Context)
		h(ctx, SwitchedData{Schema: c.schema, From: from, File: frame.File, Line: frame.Line, Func: frame.Function})
	}
}

func (db *DB) left(u *unitOfWork, closed bool) {
	if h := db.cfg.Hooks.Left; h != nil && u.ctx != nil {
		h(u.ctx, LeftData{Schema: u.scope.schema, PID: u.pid, Closed: closed})
	}
}

func (db *DB) failed(ctx context.Context, schema, sql string, err error) {
	if h := db.cfg.Hooks.Failed; h != nil {
		h(ctx, FailedData{Schema: schema, SQL: sql, Err: err})
	}
}

func (db *DB) ran(ctx context.Context, schema string, statements int, err error) {
	if h := db.cfg.Hooks.Ran; h != nil {
		h(ctx, RanData{Schema: schema, Statements: statements, Err: err})
	}
}
