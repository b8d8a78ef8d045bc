package resolver

import (
	"context"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Lookup returns what a key stands for, or [tenancy.ErrUnknownHost]. [Directory.Resolve], [Directory.ResolveSlug] and
// [Directory.ResolveID] are lookups.
type Lookup func(ctx context.Context, key string) (tenanthttp.Target, error)

// BySlug returns the tenant of that slug, whatever its status, from memory. It must not be changed.
func (d *Directory) BySlug(slug string) (*tenancy.Tenant, bool) {
	t, ok := d.current.Load().slugs[slug]
	return t, ok
}

// ByID returns the tenant of that id, whatever its status, from memory. It must not be changed.
func (d *Directory) ByID(id int64) (*tenancy.Tenant, bool) {
	route, ok := d.current.Load().tenants[id]
	return route.Tenant, ok
}

// ResolveSlug is [Directory.BySlug] as a [Lookup].
func (d *Directory) ResolveSlug(_ context.Context, slug string) (tenanthttp.Target, error) {
	return target(d.BySlug(slug))
}

// ResolveID is [Directory.ByID] as a [Lookup], of ids in decimal.
func (d *Directory) ResolveID(_ context.Context, id string) (tenanthttp.Target, error) {
	n, ok := tenantID(id)
	if !ok {
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	}
	return target(d.ByID(n))
}

func target(t *tenancy.Tenant, ok bool) (tenanthttp.Target, error) {
	if !ok {
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	}
	return tenanthttp.TenantTarget(t), nil
}
