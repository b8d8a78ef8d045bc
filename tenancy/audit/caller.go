package audit

import (
	"context"
	"net/netip"
	"sync/atomic"
)

// Caller is who acts under a context.
type Caller struct {
	Actor     string
	IP        netip.Addr
	RequestID string
}

type callerKey struct{}

// callerContext carries a caller whose name may become known later, in one allocation.
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

// NewContext returns a child of ctx under which c acts: entries that do not say otherwise are c's.
// [Log.Middleware] does it for requests; a job or a command does it by itself.
func NewContext(ctx context.Context, c Caller) context.Context {
	return &callerContext{Context: ctx, caller: c}
}

// FromContext returns who acts under ctx, or false where nobody has said so.
func FromContext(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(*callerContext)
	if !ok {
		return Caller{}, false
	}
	return c.get(), true
}

// SetActor says who acts under ctx from now on, below the innermost [NewContext] or
// [Log.Middleware]: authentication, which comes behind the middleware, says it of the whole
// request. Without one of those it does nothing and returns false. It is safe for concurrent use.
func SetActor(ctx context.Context, actor string) bool {
	c, ok := ctx.Value(callerKey{}).(*callerContext)
	if ok {
		c.actor.Store(&actor)
	}
	return ok
}
