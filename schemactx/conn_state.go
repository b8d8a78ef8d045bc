package schemactx

import (
	"container/list"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// customDataKey is where a connection keeps its state of ours.
const customDataKey = "github.com/oryne/pgtenant/schemactx"

// connState is what this package knows of one connection. Its owner is whoever holds the
// connection.
type connState struct {
	internal map[string]*pgconn.StatementDescription // the library's own statements that are prepared, by SQL
	// the search path that a RESET leads to, where it has been needed
	defaultPath string
	last        string // the schema that was served last
	seen        uint64 // of the catalog, when the connection was used last
	// the schema whose statements may have left something behind, or manySchemas
	dirtyBy       string
	preparedDirty bool // what may have been left includes prepared statements
	preparedStale bool // prepared statements may be others than they were
	loginChecked  bool // checkLogin has accepted the connection's login
	// at Logins: the session has been seen to be as it began, and nothing since may have changed it
	scopeVerified bool
	cache         stmtCache
	types         typeCache
	eqb           pgx.ExtendedQueryBuilder
}

// manySchemas as a stain is foreign to everybody. It is no schema's name.
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

// dirty reports whether another tenant than schema may have left something behind.
func (cs *connState) dirty(schema string) bool { return cs.dirtyBy != "" && cs.dirtyBy != schema }

// stained notes that a statement of schema may have left something behind.
func (cs *connState) markDirty(schema string) {
	if cs.dirty(schema) {
		schema = manySchemas
	}
	cs.dirtyBy = schema
}

// ran notes what a statement of this kind may have done to the session.
func (cs *connState) noteKind(kind sqlKind) {
	if kind.mayChangeScope() {
		cs.scopeVerified = false
	}
	if kind == kindBlock {
		cs.discardPrepared()
	}
}

// distrust notes that the prepared statements may be others than they were: a block of code can
// deallocate and prepare under any name. All are forgotten; the next pipeline begins by
// deallocating them.
func (cs *connState) discardPrepared() {
	cs.preparedStale = true
	clear(cs.internal)
	cs.cache.clear()
}

// forget drops a prepared statement when err says that it may not fit the schema any more: its
// table or its types have changed or are gone. When statements are not there, or are there without
// having been prepared, none is trusted.
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
	if planChanged(err) { // there has been a migration: others will not fit either
		cs.cache.dropSchema(key.schema)
	}
	if pgErr.Code == sqlstate.InvalidStatement || pgErr.Code == sqlstate.DuplicateStatement {
		cs.discardPrepared()
	}
}

// stmtCache holds the prepared statements of a connection, the least recently used of which go
// first.
type stmtCache struct {
	entries  map[stmtKey]*list.Element
	recent   list.List // of *stmt, the most recently used first
	evicted  []string  // names to deallocate in the next pipeline
	capacity int
	names    int // given out so far
}

// stmtKey has the schema in it: PostgreSQL binds a statement to the tables and types that the
// search path led to when it was prepared.
type stmtKey struct{ schema, sql string }

type stmt struct {
	key   stmtKey
	name  string // on the server
	sd    *pgconn.StatementDescription
	kind  sqlKind  // by its text
	named []string // the schemas that it may name
	age   uint64   // of the scope that it was prepared in; see [unit.prepared]
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

// put keeps st and evicts the least recently used statement beyond the capacity. It returns how
// many went.
func (c *stmtCache) put(st *stmt) (evicted int) {
	c.entries[st.key] = c.recent.PushFront(st)
	for c.recent.Len() > c.capacity {
		c.drop(c.recent.Back().Value.(*stmt).key)
		evicted++
	}
	return evicted
}

// drop forgets a statement; the next pipeline deallocates it.
func (c *stmtCache) drop(key stmtKey) {
	el, ok := c.entries[key]
	if !ok {
		return
	}
	c.evicted = append(c.evicted, el.Value.(*stmt).name)
	c.recent.Remove(el)
	delete(c.entries, key)
}

// dropSchema forgets all statements of a schema, like drop.
func (c *stmtCache) dropSchema(schema string) {
	for key := range c.entries {
		if key.schema == schema {
			c.drop(key)
		}
	}
}

// clear forgets all statements. The caller sees to it that they are deallocated.
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
