package schemactx

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/oryne/pgtenant/internal/postgres"
)

// Limits bound what one tenant may take of what all share. The zero value is no limit. A public
// scope has none. The timeouts are for statements that go astray: a tenant who controls the text of
// statements can change them by set_config for the rest of its transaction, and at level [Logins]
// of its session, unless admin.Harden has closed it.
type Limits struct {
	// MaxConns is how many connections of a [DB] one tenant may hold at a time. A unit of work beyond
	// it waits, within its context, until one of the tenant's own ends; it is [LimitError] when the
	// context ends first. Other tenants do not wait for it. A goroutine that needs a second connection
	// while it holds one can wait for itself: give such tenants two. Default: 0, no limit.
	MaxConns int

	// StatementTimeout is PostgreSQL's statement_timeout for the tenant's statements, rounded up to
	// milliseconds. Default: 0, that of the login.
	StatementTimeout time.Duration

	// IdleInTransactionTimeout is PostgreSQL's idle_in_transaction_session_timeout, rounded up to
	// milliseconds: the server ends a transaction that waits longer for its next statement, and its
	// connection. Default: 0, that of the login.
	IdleInTransactionTimeout time.Duration
}

// settings yields the settings that a session of the tenant has, with their values.
func (l Limits) settings() iter.Seq2[string, string] {
	return func(yield func(setting, value string) bool) {
		_ = (l.StatementTimeout <= 0 || yield("statement_timeout", postgres.Milliseconds(l.StatementTimeout))) &&
			(l.IdleInTransactionTimeout <= 0 || yield("idle_in_transaction_session_timeout", postgres.Milliseconds(l.IdleInTransactionTimeout)))
	}
}

// gates holds a gate for each tenant that has a limit and holds or awaits a connection, and no
// others.
type semaphores struct {
	mu       sync.Mutex
	bySchema map[string]*semaphore
}

// gate lets so many units of work of one tenant through at a time.
type semaphore struct {
	all    *semaphores
	schema string
	slots  chan struct{}
	users  int // that hold a place or wait for one; guarded by gates.mu
}

// enter waits for a place. It returns nil for a tenant without a limit.
func (gs *semaphores) enter(ctx context.Context, sc *scope) (*semaphore, error) {
	if sc.limits.MaxConns <= 0 {
		return nil, nil
	}
	g := gs.use(sc)
	select {
	case g.slots <- struct{}{}: // first, because a select of two cases takes either
		return g, nil
	default:
	}
	select {
	case g.slots <- struct{}{}:
		return g, nil
	case <-ctx.Done():
		g.forget()
		return nil, &LimitError{Schema: sc.schema, MaxConns: sc.limits.MaxConns, Err: context.Cause(ctx)}
	}
}

// usage returns what tenants with a limit use now.
func (gs *semaphores) usage() []Usage {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	list := make([]Usage, 0, len(gs.bySchema))
	for schema, g := range gs.bySchema {
		held := len(g.slots) // never more than users, which grows before and shrinks after
		list = append(list, Usage{Schema: schema, Held: held, Waiting: g.users - held, MaxConns: cap(g.slots)})
	}
	return list
}

func (gs *semaphores) use(sc *scope) *semaphore {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.bySchema[sc.schema]
	if g == nil {
		if gs.bySchema == nil {
			gs.bySchema = make(map[string]*semaphore)
		}
		g = &semaphore{all: gs, schema: sc.schema, slots: make(chan struct{}, sc.limits.MaxConns)}
		gs.bySchema[sc.schema] = g
	}
	g.users++
	return g
}

// leave gives the place back. It does nothing on nil.
func (g *semaphore) leave() {
	if g == nil {
		return
	}
	<-g.slots
	g.forget()
}

func (g *semaphore) forget() {
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	if g.users--; g.users == 0 {
		delete(g.all.bySchema, g.schema)
	}
}
