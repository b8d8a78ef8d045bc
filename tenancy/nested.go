package tenancy

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
)

// underWay is the key of an operation in the contexts of what it calls: one for each registry.
type underWay struct{ registry *pgxpool.Pool }

// begin returns a context that says that an operation is under way, until it is over: what is
// called with it and takes a lock could wait for the lock that the operation holds.
func (m *Manager) begin(ctx context.Context) (inside context.Context, over func()) {
	ended := &atomic.Bool{}
	return context.WithValue(ctx, underWay{m.registry.Pool}, ended), func() { ended.Store(true) }
}

// nested reports whether ctx is that of an operation that is under way.
func (m *Manager) nested(ctx context.Context) bool {
	ended, _ := ctx.Value(underWay{m.registry.Pool}).(*atomic.Bool)
	return ended != nil && !ended.Load()
}
