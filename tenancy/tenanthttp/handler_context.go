package tenanthttp

import (
	"context"

	"github.com/oryne/pgtenant/internal/sitecontext"
	"github.com/oryne/pgtenant/tenancy"
)

type site = sitecontext.Context[tenancy.Tenant]

type requestContextKey struct{}

// requestContext is the context of a request that [Handler] serves. It holds the site and the
// function that answers refused requests, in one allocation.
type requestContext struct {
	site
	refuse refuseFunc
}

// Value returns c for the key of this package, else the value of the site's context.
func (c *requestContext) Value(key any) any {
	if key == (requestContextKey{}) {
		return c
	}
	return c.site.Value(key)
}

// refuseFuncOf returns the Refuse of the [Handler] that serves the request of ctx, or the default.
func refuseFuncOf(ctx context.Context) refuseFunc {
	if c, ok := ctx.Value(requestContextKey{}).(*requestContext); ok {
		return c.refuse
	}
	return respond
}
