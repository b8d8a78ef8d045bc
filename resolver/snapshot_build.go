package resolver

import (
	"context"
	"iter"
	"log/slog"

	"github.com/oryne/pgtenant/tenancy"
)

// builder makes the next snapshot from the last one and the registry. Only one goroutine uses it.
type builder struct {
	policy    policy
	logger    *slog.Logger
	conflicts map[string]bool // hosts with two owners; each is logged once
}

// replace makes a snapshot of all routes.
func (b *builder) replace(
	ctx context.Context, last *snapshot, routes iter.Seq2[tenancy.Route, error],
) (*snapshot, error) {
	next := newSnapshot(b.policy, len(last.tenants), len(last.hosts))
	conflicts := map[string]bool{}
	for route, err := range routes {
		if err != nil {
			return nil, err
		}
		next.add(b.policy, route, func(host string) { conflicts[host] = true })
	}
	for host := range conflicts {
		if !b.conflicts[host] {
			b.warn(ctx, next, host)
		}
	}
	b.conflicts = conflicts
	return next, nil
}

// patch makes a snapshot in which the tenants with ids, and the tenants of routes, are as in
// routes. A tenant that is not in routes is removed. If nothing has changed, patch returns the last
// snapshot.
func (b *builder) patch(ctx context.Context, last *snapshot, ids []int64, routes []tenancy.Route) *snapshot {
	changed := make(map[int64]*tenancy.Route, len(ids))
	for _, id := range ids {
		if _, known := last.tenants[id]; known {
			changed[id] = nil
		}
	}
	for i, route := range routes {
		if changed[route.Tenant.ID] = &routes[i]; last.contains(route) {
			delete(changed, route.Tenant.ID)
		}
	}
	if len(changed) == 0 {
		return last
	}
	next := last.clone()
	before := b.conflicts
	b.conflicts = map[string]bool{}
	for host := range before {
		b.conflicts[host] = true
	}
	for id := range changed {
		next.remove(b.policy, id, func(host string) { delete(b.conflicts, host) })
	}
	for _, route := range changed {
		if route == nil {
			continue
		}
		next.add(b.policy, *route, func(host string) {
			if b.conflicts[host] = true; !before[host] {
				b.warn(ctx, next, host)
			}
		})
	}
	return next
}

func (b *builder) warn(ctx context.Context, s *snapshot, host string) {
	o := s.hosts[host]
	if o.domain == publicSite {
		b.logger.WarnContext(ctx, "a tenant has a public host as its domain; the public site keeps the host",
			slog.String("host", host))
		return
	}
	b.logger.ErrorContext(ctx, "a host stands for two tenants; requests for it are refused",
		slog.String("host", host), slog.String("domain_of", o.domain.Slug), slog.String("slug_of", o.slug.Slug))
}
