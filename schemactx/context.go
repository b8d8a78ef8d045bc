package schemactx

import (
	"context"
	"runtime"
	"sync/atomic"
)

type contextKey struct{}

// scopeContext is a context that carries a schema. It needs one allocation. context.WithValue would
// need a second one to put the string into an interface.
type scopeContext struct {
	context.Context
	schema string
	public bool
	site   *callSite // set by WithSchema and WithPublic; nil from the other constructors
}

// callSite is a call of WithSchema or WithPublic. It records whether a DB has counted the call and
// whether a hook has been told. They are separate because a DB need not have a hook.
type callSite struct {
	pc       uintptr
	counted  atomic.Bool
	reported atomic.Bool
}

// switchContext holds a scopeContext and its call site in one allocation.
type switchContext struct {
	scopeContext
	callSite
}

// newSwitch returns a child of ctx. Its call site is the caller of the function that called
// newSwitch.
func newSwitch(ctx context.Context, schema string, public bool) context.Context {
	c := &switchContext{scopeContext: scopeContext{Context: ctx, schema: schema, public: public}}
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:]) // skips runtime.Callers, newSwitch and WithSchema or WithPublic
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

// NewContext returns a child of ctx whose statements run in the tenant schema name. It does not
// check the name. A statement under an invalid name, "public" included, fails with a [NameError]
// before anything is sent. Middleware usually calls NewContext; other code uses [WithSchema], which
// checks at once.
func NewContext(ctx context.Context, name string) context.Context {
	return &scopeContext{Context: ctx, schema: name}
}

// NewPublicContext returns a child of ctx whose statements run in the public schema with the
// privileges of the public role. That schema holds the registry and everything else that tenants
// share.
func NewPublicContext(ctx context.Context) context.Context {
	return &scopeContext{Context: ctx, schema: Public, public: true}
}

func scopeContextOf(ctx context.Context) *scopeContext {
	c, _ := ctx.Value(contextKey{}).(*scopeContext)
	return c
}

// FromContext returns the schema that statements under ctx run in. It is "public" below
// [NewPublicContext]. It returns false if ctx has no schema; statements under such a context fail
// with [ErrNoSchema]. FromContext does not allocate.
func FromContext(ctx context.Context) (schema string, ok bool) {
	c := scopeContextOf(ctx)
	if c == nil {
		return "", false
	}
	return c.schema, true
}

// WithSchema calls fn with a child of ctx whose statements run in the tenant schema name, and
// returns what fn returns. For an invalid name it returns a [NameError] and does not call fn.
//
// The schema belongs to the child context, so ctx is unchanged afterwards, also after a panic.
// Calls can be nested. WithSchema opens no connection and no transaction; see [DB.InTx] for that.
//
// Requests get their schema from the middleware. WithSchema is for system work that crosses tenants
// on purpose. A [DB] counts each call under which a unit of work begins and reports it to
// [Hooks].SchemaSwitch. Calls under which no unit of work begins are not counted, because they
// reach no tenant.
func WithSchema(ctx context.Context, name string, fn func(context.Context) error) error {
	if err := ValidateName(name); err != nil {
		return err
	}
	return fn(newSwitch(ctx, name, false))
}

// WithPublic calls fn with a child of ctx whose statements run in the public schema, as with
// [NewPublicContext], and returns what fn returns. Its calls are counted like those of
// [WithSchema].
func WithPublic(ctx context.Context, fn func(context.Context) error) error {
	return fn(newSwitch(ctx, Public, true))
}
