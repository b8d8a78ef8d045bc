package schemactx

import (
	"container/list"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// customDataKey is the key of connState in a connection's custom data.
const customDataKey = "github.com/oryne/pgtenant/schemactx"

// connState is what this package knows about one connection. Only the unit of work that holds the
// connection uses it.
type connState struct {
	internal map[string]*pgconn.StatementDescription // prepared internal statements, by SQL
	// the search path after a RESET, once it has been needed; else ""
	defaultPath string
	last        string // the schema of the last unit of work
	seen        uint64 // catalog.seen at the last use of the connection
	// the last schema whose statements may have left session state, or manySchemas
	dirtyBy       string
	preparedDirty bool // the session state may include prepared statements
	preparedStale bool // the prepared statements may differ from what cache and internal say
	loginChecked  bool // checkLogin has accepted the connection's login
	// at Logins: the scope has been checked, and no statement since then may have changed it
	scopeVerified bool
	cache         stmtCache
	types         typeCache
	eqb           pgx.ExtendedQueryBuilder
}

// manySchemas as dirtyBy differs from every schema. It cannot be the name of one.
const manySchemas = "*"

func stateOf(conn *pgconn.PgConn, capacity int) *connState {
	data := conn.CustomData()
	if cs, ok := data[customDataKey].(*connState); ok {
		return cs
	}
	cs := &connState{
		internal: make(map[string]*pgconn.StatementDescription),
		cache:    stmtCache{entries: make(map[stmtKey]*list.Element), capacity: capacity},
	}
	data[customDataKey] = cs
	return cs
}

// dirty reports whether a tenant other than schema may have left session state.
func (cs *connState) dirty(schema string) bool { return cs.dirtyBy != "" && cs.dirtyBy != schema }

// markDirty records that a statement of schema may have left session state.
func (cs *connState) markDirty(schema string) {
	if cs.dirty(schema) {
		schema = manySchemas
	}
	cs.dirtyBy = schema
}

// noteKind records what a statement of this kind may have done to the session.
func (cs *connState) noteKind(kind sqlKind) {
	if kind.mayChangeScope() {
		cs.scopeVerified = false
	}
	if kind == kindBlock {
		cs.discardPrepared()
	}
}

// discardPrepared records that the prepared statements may have changed: a block of code can
// deallocate and prepare under any name. All are forgotten; the next prologue deallocates them.
func (cs *connState) discardPrepared() {
	cs.preparedStale = true
	clear(cs.internal)
	cs.cache.clear()
}

// forget drops a prepared statement if err says that it may no longer fit the schema, because its
// table or its types have changed or are gone. If the server does not know a prepared statement, or
// has one of that name already, all of them are discarded.
func (cs *connState) forget(key stmtKey, err error) {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return
	}
	if typesMayBeStale(pgErr.Code) {
		cs.types.drop(key.schema)
	}
	switch pgErr.Code[:2] {
	case "08", "0A", "42", "XX":
		cs.cache.drop(key)
	}
	if planChanged(err) { // a migration has run, so the schema's other statements are stale too
		cs.cache.dropSchema(key.schema)
	}
	if pgErr.Code == sqlstate.InvalidStatement || pgErr.Code == sqlstate.DuplicateStatement {
		cs.discardPrepared()
	}
}

// stmtCache holds the prepared statements of a connection and evicts the least recently used ones
// first.
type stmtCache struct {
	entries  map[stmtKey]*list.Element
	recent   list.List // of *stmt, the most recently used first
	evicted  []string  // names to deallocate in the next pipeline
	capacity int
	names    int // the number of names used so far
}

// stmtKey contains the schema because PostgreSQL binds a prepared statement to the tables and types
// that the search path found when it was prepared.
type stmtKey struct{ schema, sql string }

type stmt struct {
	key   stmtKey
	name  string // on the server
	sd    *pgconn.StatementDescription
	kind  sqlKind  // according to its text
	named []string // the schemas that it may name
	age   uint64   // of the scope that it was prepared in; see [unitOfWork.prepared]
}

func (c *stmtCache) get(key stmtKey) *stmt {
	el, ok := c.entries[key]
	if !ok {
		return nil
	}
	if c.recent.Front() != el {
		c.recent.MoveToFront(el)
	}
	return el.Value.(*stmt)
}

// put stores st and evicts the least recently used statements beyond the capacity. It returns the
// number of evicted ones.
func (c *stmtCache) put(st *stmt) (evicted int) {
	c.entries[st.key] = c.recent.PushFront(st)
	for c.recent.Len() > c.capacity {
		c.drop(c.recent.Back().Value.(*stmt).key)
		evicted++
	}
	return evicted
}

// drop removes a statement. The next pipeline that prepares statements deallocates it.
func (c *stmtCache) drop(key stmtKey) {
	el, ok := c.entries[key]
	if !ok {
		return
	}
	c.evicted = append(c.evicted, el.Value.(*stmt).name)
	c.recent.Remove(el)
	delete(c.entries, key)
}

// dropSchema drops all statements of a schema.
func (c *stmtCache) dropSchema(schema string) {
	for key := range c.entries {
		if key.schema == schema {
			c.drop(key)
		}
	}
}

// clear removes all statements. The caller must have them deallocated.
func (c *stmtCache) clear() {
	clear(c.entries)
	c.recent.Init()
	c.evicted = nil
}

// nextName returns a statement name that this connection has not used.
func (c *stmtCache) nextName() string {
	c.names++
	return "pgtenant_" + strconv.Itoa(c.names)
}
