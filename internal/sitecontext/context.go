package sitecontext

import "context"

type key struct{}

// Context is a context with the site that it belongs to. T is the type of tenants.
type Context[T any] struct {
	context.Context
	Tenant *T // nil for the public site
}

// Value returns c for the key of this package, and otherwise the value of the parent context.
func (c *Context[T]) Value(k any) any {
	if k == (key{}) {
		return c
	}
	return c.Context.Value(k)
}

// From returns the innermost Context that ctx belongs to, or nil.
func From[T any](ctx context.Context) *Context[T] {
	site, _ := ctx.Value(key{}).(*Context[T])
	return site
}
