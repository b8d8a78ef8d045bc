package tenancy

import (
	"context"

	"github.com/oryne/pgtenant/schemactx"
)

type contextKey struct{}

// siteContext says which site a context belongs to. It is a context of its own, and no value in one, so that it can say
// more than the tenant without another allocation.
type siteContext struct {
	context.Context
	tenant *Tenant // nil: the public site
	refuse refuseFunc
}

func (c *siteContext) Value(key any) any {
	if key == (contextKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// siteOf returns the innermost site that ctx belongs to, or nil.
func siteOf(ctx context.Context) *siteContext {
	site, _ := ctx.Value(contextKey{}).(*siteContext)
	return site
}

// NewContext returns a child of ctx that carries t and whose statements run in t's schema.
func NewContext(ctx context.Context, t *Tenant) context.Context {
	return &siteContext{Context: schemactx.NewContext(ctx, t.Schema), tenant: t}
}

// NewPublicContext returns a child of ctx that belongs to the public site and to no tenant, and whose statements run in
// the public schema. A program needs it where [Handler] is not in front, as in tests.
func NewPublicContext(ctx context.Context) context.Context {
	return &siteContext{Context: schemactx.NewPublicContext(ctx)}
}

// FromContext returns the tenant of the request that ctx belongs to, or false outside of a
// tenant's request. The tenant is shared by requests and must not be changed.
func FromContext(ctx context.Context) (*Tenant, bool) {
	site := siteOf(ctx)
	if site == nil || site.tenant == nil {
		return nil, false
	}
	return site.tenant, true
}

// IsPublic reports whether ctx belongs to the public site: to a request on the platform's own hosts, or below
// [NewPublicContext]. The public schema alone, as below [schemactx.WithPublic], does not make it so.
func IsPublic(ctx context.Context) bool {
	site := siteOf(ctx)
	return site != nil && site.tenant == nil
}
