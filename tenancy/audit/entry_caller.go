package audit

import (
	"context"
	"net/netip"
	"sync/atomic"
)

// Caller identifies who acts under a context.
type Caller struct {
	Actor     string
	IP        netip.Addr
	RequestID string
}

type callerKey struct{}

// callerContext carries a caller whose actor may be set later, in one allocation.
type callerContext struct {
	context.Context
	caller Caller
	actor  atomic.Pointer[string] // by SetActor
}

func (c *callerContext) Value(key any) any {
	if key == (callerKey{}) {
		return c
	}
	return c.Context.Value(key)
}

func (c *callerContext) get() Caller {
	caller := c.caller
	if actor := c.actor.Load(); actor != nil {
		caller.Actor = *actor
	}
	return caller
}

// NewContext returns a child of ctx with the caller c. Entries take the fields that they leave
// empty from it. [Log.Middleware] calls it for requests; jobs and commands call it themselves.
func NewContext(ctx context.Context, c Caller) context.Context {
	return &callerContext{Context: ctx, caller: c}
}

// FromContext returns the caller of ctx, or false if none was set.
func FromContext(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(*callerContext)
	if !ok {
		return Caller{}, false
	}
	return c.get(), true
}

// SetActor sets the actor of the innermost [NewContext] or [Log.Middleware] of ctx. Authentication,
// which runs inside the middleware, sets it for the whole request. Without such a context it does
// nothing and returns false. It is safe for concurrent use.
func SetActor(ctx context.Context, actor string) bool {
	c, ok := ctx.Value(callerKey{}).(*callerContext)
	if ok {
		c.actor.Store(&actor)
	}
	return ok
}
