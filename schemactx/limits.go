package schemactx

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/oryne/pgtenant/internal/postgres"
)

// Limits restrict the use of shared resources by one tenant. The zero value has no limits, and
// public scopes have none. The timeouts only protect against mistakes in statements. A tenant who
// controls the text of statements can change them with set_config for the rest of its transaction,
// and at level [Logins] of its session. admin.Harden prevents that.
type Limits struct {
	// MaxConns is the number of connections of a [DB] that one tenant may hold at a time. Another unit
	// of work of the tenant waits until one of them ends. If its context ends first, it returns a
	// [LimitError]. Other tenants do not wait. A goroutine that needs a second connection while it
	// holds one can block itself, so give such tenants at least two. Default: 0, no limit.
	MaxConns int

	// StatementTimeout is PostgreSQL's statement_timeout for the tenant's statements, rounded up to
	// milliseconds. Default: 0, the timeout of the login.
	StatementTimeout time.Duration

	// IdleInTransactionTimeout is PostgreSQL's idle_in_transaction_session_timeout, rounded up to
	// milliseconds. The server ends a transaction that waits longer for its next statement, and closes
	// its connection. Default: 0, the timeout of the login.
	IdleInTransactionTimeout time.Duration
}

// settings yields the settings for these limits in a session of the tenant, with their values.
func (l Limits) settings() iter.Seq2[string, string] {
	return func(yield func(setting, value string) bool) {
		_ = (l.StatementTimeout <= 0 || yield("statement_timeout", postgres.Milliseconds(l.StatementTimeout))) &&
			(l.IdleInTransactionTimeout <= 0 || yield(
				"idle_in_transaction_session_timeout", postgres.Milliseconds(l.IdleInTransactionTimeout),
			))
	}
}

// semaphores holds one semaphore for each tenant that has a limit and currently holds or waits for
// a connection.
type semaphores struct {
	mu       sync.Mutex
	bySchema map[string]*semaphore
}

// semaphore limits the units of work that one tenant runs at a time.
type semaphore struct {
	all    *semaphores
	schema string
	slots  chan struct{}
	users  int // that hold a place or wait for one; guarded by semaphores.mu
}

// enter waits for a place. It returns nil for a tenant without a limit. If ctx ends first, the
// error is a [LimitError].
func (gs *semaphores) enter(ctx context.Context, sc *scope) (*semaphore, error) {
	if sc.limits.MaxConns <= 0 {
		return nil, nil
	}
	g := gs.use(sc)
	select {
	case g.slots <- struct{}{}: // tried alone, because a select of two ready cases takes either
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

// usage returns the current usage of tenants with a limit.
func (gs *semaphores) usage() []Usage {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	list := make([]Usage, 0, len(gs.bySchema))
	for schema, g := range gs.bySchema {
		held := len(g.slots) // at most users, which increases earlier and decreases later
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
