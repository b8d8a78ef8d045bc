package tenancy

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
)

// underWay is the context key of a running operation. There is one key for each pool of a registry.
type underWay struct{ registry *pgxpool.Pool }

// begin returns a context that marks an operation as running until over is called. A function that
// is called with this context must not take a lock: it would wait for the lock, or for the last
// connection, that the operation holds.
func (m *Manager) begin(ctx context.Context) (inside context.Context, over func()) {
	ended := &atomic.Bool{}
	return context.WithValue(ctx, underWay{m.registry.Pool}, ended), func() { ended.Store(true) }
}

// nested reports whether ctx is the context of an operation that is still running.
func (m *Manager) nested(ctx context.Context) bool {
	ended, _ := ctx.Value(underWay{m.registry.Pool}).(*atomic.Bool)
	return ended != nil && !ended.Load()
}
