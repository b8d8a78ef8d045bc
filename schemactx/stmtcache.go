package schemactx

import (
	"container/list"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// customDataKey is where a connection keeps its state of ours.
const customDataKey = "github.com/oryne/pgtenant/schemactx"

// connState is what this package knows of one connection. Its owner is whoever holds the
// connection.
type connState struct {
	scopes  map[string]bool // scope statements that are prepared, by SQL
	entries map[stmtKey]*list.Element
	recent  list.List // of *stmt, the most recently used first
	evicted []string  // names to deallocate in the next pipeline
	limit   int
	count   int // of names given out
	eqb     pgx.ExtendedQueryBuilder
}

// stmtKey has the schema in it: PostgreSQL binds a statement to the tables and types that
// the search path led to when it was prepared.
type stmtKey struct{ schema, sql string }

type stmt struct {
	key stmtKey
	sd  *pgconn.StatementDescription
}

func stateOf(conn *pgconn.PgConn, limit int) *connState {
	data := conn.CustomData()
	if cs, ok := data[customDataKey].(*connState); ok {
		return cs
	}
	cs := &connState{scopes: make(map[string]bool), entries: make(map[stmtKey]*list.Element), limit: limit}
	data[customDataKey] = cs
	return cs
}

func (cs *connState) get(key stmtKey) *pgconn.StatementDescription {
	el, ok := cs.entries[key]
	if !ok {
		return nil
	}
	cs.recent.MoveToFront(el)
	return el.Value.(*stmt).sd
}

// put keeps sd and evicts the least recently used statement beyond the limit.
func (cs *connState) put(key stmtKey, sd *pgconn.StatementDescription) {
	cs.entries[key] = cs.recent.PushFront(&stmt{key: key, sd: sd})
	if cs.recent.Len() > cs.limit {
		cs.drop(cs.recent.Back().Value.(*stmt).key)
	}
}

// drop forgets a statement; the next pipeline deallocates it.
func (cs *connState) drop(key stmtKey) {
	el, ok := cs.entries[key]
	if !ok {
		return
	}
	cs.evicted = append(cs.evicted, el.Value.(*stmt).sd.Name)
	cs.recent.Remove(el)
	delete(cs.entries, key)
}

// nextName returns a statement name that this connection has not used.
func (cs *connState) nextName() string {
	cs.count++
	return "pgtenant_" + strconv.Itoa(cs.count)
}
