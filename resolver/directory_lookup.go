package resolver

import (
	"context"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Lookup returns the target of a key, or [tenancy.ErrUnknownHost]. [Directory.Resolve],
// [Directory.ResolveSlug] and [Directory.ResolveID] are lookups.
type Lookup func(ctx context.Context, key string) (tenanthttp.Target, error)

// BySlug returns the tenant with a slug, in any status, from memory. Callers must not change it.
func (d *Directory) BySlug(slug string) (*tenancy.Tenant, bool) {
	t, ok := d.current.Load().slugs[slug]
	return t, ok
}

// ByID returns the tenant with an id, in any status, from memory. Callers must not change it.
func (d *Directory) ByID(id int64) (*tenancy.Tenant, bool) {
	route, ok := d.current.Load().tenants[id]
	return route.Tenant, ok
}

// ResolveSlug is [Directory.BySlug] as a [Lookup].
func (d *Directory) ResolveSlug(_ context.Context, slug string) (tenanthttp.Target, error) {
	return target(d.BySlug(slug))
}

// ResolveID is [Directory.ByID] as a [Lookup]. The key is an id in decimal.
func (d *Directory) ResolveID(_ context.Context, id string) (tenanthttp.Target, error) {
	n, ok := parseID(id)
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
