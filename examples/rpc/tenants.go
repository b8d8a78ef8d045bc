package rpc

import (
	"context"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Key is the metadata that names the tenant of a call.
const Key = "x-tenant"

// Tenants finds the tenant of a call and decides whether the call is served. Its methods are
// interceptors, safe for concurrent use if Find and Admit are.
type Tenants struct {
	// Find returns the tenant for the value of the metadata, such as ResolveSlug of a directory.
	// Required.
	Find func(ctx context.Context, key string) (tenanthttp.Target, error)

	// Admit returns an error for an active tenant that must not be served, such as Admit of package
	// quarantine. Default: nil, all active tenants are served.
	Admit func(ctx context.Context, t *tenancy.Tenant) error
}

// enter returns the context of a call: with its tenant, so that its statements run in the tenant's
// schema, or public.
func (s Tenants) enter(ctx context.Context, keys []string) (context.Context, error) {
	target, err := s.find(ctx, keys)
	switch {
	case err != nil:
		return nil, err
	case target.Public():
		return tenancy.NewPublicContext(ctx), nil //tenantvet:allow tenantswitch interceptors are where a call gets its tenant
	}
	//tenantvet:allow tenantswitch as above: the metadata names the tenant
	return tenancy.NewContext(ctx, target.Tenant()), nil
}

// find returns the target of a call, if it is served. A call without the metadata is refused like
// one with an unknown tenant.
func (s Tenants) find(ctx context.Context, keys []string) (target tenanthttp.Target, err error) {
	switch len(keys) {
	case 0:
		return target, tenancy.ErrUnknownHost
	case 1:
	default:
		return target, tenancy.ErrAmbiguousTenant
	}
	target, err = s.Find(ctx, keys[0])
	if err != nil || target.Public() {
		return target, err
	}
	err = tenancy.Serveable(target.Tenant())
	if err == nil && s.Admit != nil {
		err = s.Admit(ctx, target.Tenant())
	}
	return target, err
}

// again checks the tenant for a message of a stream. Since the start of the stream the tenant may
// have been suspended or dropped, or the key may have been given to another tenant. A directory
// answers from memory.
func (s Tenants) again(scoped context.Context, keys []string) error {
	target, err := s.find(scoped, keys)
	if err != nil {
		return err
	}
	t, is := tenancy.FromContext(scoped)
	if is == target.Public() || is && t.ID != target.Tenant().ID {
		return tenancy.ErrUnknownHost
	}
	return nil
}
