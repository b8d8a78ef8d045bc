package tenancy

import (
	"context"

	"github.com/oryne/pgtenant/schemactx"
)

type contextKey struct{}

// NewContext returns a child of ctx that carries t and whose statements run in t's schema.
func NewContext(ctx context.Context, t *Tenant) context.Context {
	return context.WithValue(schemactx.NewContext(ctx, t.Schema), contextKey{}, t)
}

// FromContext returns the tenant of the request that ctx belongs to, or false outside of a
// tenant's request. The tenant is shared by requests and must not be changed.
func FromContext(ctx context.Context) (*Tenant, bool) {
	t, ok := ctx.Value(contextKey{}).(*Tenant)
	return t, ok
}
