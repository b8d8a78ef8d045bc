package tenancy

import (
	"context"

	"github.com/oryne/pgtenant/internal/sitecontext"
	"github.com/oryne/pgtenant/schemactx"
)

// NewContext returns a child of ctx that carries t. Statements of package schemactx run in the
// schema of t. t must not be nil and must not be changed afterwards.
func NewContext(ctx context.Context, t *Tenant) context.Context {
	return &sitecontext.Context[Tenant]{Context: schemactx.NewContext(ctx, t.Schema), Tenant: t}
}

// NewPublicContext returns a child of ctx that belongs to the public site and to no tenant.
// Statements of package schemactx run in the public schema. A program needs it where no handler of
// package tenanthttp sets the context, as in tests.
func NewPublicContext(ctx context.Context) context.Context {
	return &sitecontext.Context[Tenant]{Context: schemactx.NewPublicContext(ctx)}
}

// FromContext returns the tenant that ctx carries, or false if ctx carries none. Requests share the
// tenant: it must not be changed. FromContext does not allocate.
func FromContext(ctx context.Context) (*Tenant, bool) {
	site := sitecontext.From[Tenant](ctx)
	if site == nil || site.Tenant == nil {
		return nil, false
	}
	return site.Tenant, true
}

// IsPublic reports whether ctx belongs to the public site: a request on the platform's own hosts,
// or a child of [NewPublicContext]. A scope that only [schemactx.WithPublic] has set does not
// count.
func IsPublic(ctx context.Context) bool {
	site := sitecontext.From[Tenant](ctx)
	return site != nil && site.Tenant == nil
}
