package schemactx

import (
	"context"
	"runtime"
	"sync/atomic"
)

type contextKey struct{}

// scopeContext carries a schema without a second allocation: context.WithValue would
// put the string into an interface of its own.
type scopeContext struct {
	context.Context
	schema string
	public bool
	site   *callSite // of WithSchema or WithPublic; nil from the other constructors
}

// callSite is where a schema was named by hand, and who has heard of it: a count, and a hook, which
// a DB need not have.
type callSite struct {
	pc       uintptr
	counted  atomic.Bool
	reported atomic.Bool
}

// switchContext is a scopeContext with its call site, in one allocation.
type switchContext struct {
	scopeContext
	callSite
}

// newSwitch returns a child of ctx for the caller of its caller.
func newSwitch(ctx context.Context, schema string, public bool) context.Context {
	c := &switchContext{scopeContext: scopeContext{Context: ctx, schema: schema, public: public}}
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:]) // itself, newSwitch, WithSchema
	c.pc = pcs[0]
	c.site = &c.callSite
	return &c.scopeContext
}

func (c *scopeContext) Value(key any) any {
	if key == (contextKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// NewContext returns a child of ctx whose statements run in the tenant schema name. The
// name is checked where it is used: a statement under an invalid name, public among them,
// fails with a [NameError] and reaches no server. Most programs have their middleware call
// this and otherwise use [WithSchema], which checks at once.
func NewContext(ctx context.Context, name string) context.Context {
	return &scopeContext{Context: ctx, schema: name}
}

// NewPublicContext returns a child of ctx whose statements run in the public schema, with
// the rights of the public role: the registry and what else tenants share.
func NewPublicContext(ctx context.Context) context.Context {
	return &scopeContext{Context: ctx, schema: Public, public: true}
}

func scopeContextOf(ctx context.Context) *scopeContext {
	c, _ := ctx.Value(contextKey{}).(*scopeContext)
	return c
}

// FromContext returns the schema that statements under ctx run in: a tenant's, or "public"
// below [NewPublicContext]. It reports false when there is none; such statements fail with
// [ErrNoSchema]. It does not allocate.
func FromContext(ctx context.Context) (schema string, ok bool) {
	c := scopeContextOf(ctx)
	if c == nil {
		return "", false
	}
	return c.schema, true
}

// WithSchema calls fn with a child of ctx whose statements run in the tenant schema name,
// and returns what fn returns. An invalid name is a [NameError], and fn is not called.
//
// Nothing needs to be restored: the schema belongs to the context that fn is given, and
// ctx goes on as it was, also after a panic. Calls nest and recurse. It opens no
// connection and no transaction; see [DB.InTx] for that.
//
// Requests get their schema from the middleware. WithSchema is for system work that crosses tenants
// on purpose. Each call under which something is done is counted by the [DB] that does it, and told
// to [Hooks].SchemaSwitch; one under which nothing is done reaches no tenant.
func WithSchema(ctx context.Context, name string, fn func(context.Context) error) error {
	if err := ValidateName(name); err != nil {
		return err
	}
	return fn(newSwitch(ctx, name, false))
}

// WithPublic calls fn with a child of ctx whose statements run in the public schema, as
// [NewPublicContext] describes, and returns what fn returns.
func WithPublic(ctx context.Context, fn func(context.Context) error) error {
	return fn(newSwitch(ctx, Public, true))
}
