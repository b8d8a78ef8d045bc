package resolver

import (
	"context"
	"iter"
	"log/slog"

	"github.com/oryne/pgtenant/tenancy"
)

// writer makes the next snapshot out of the last and what the registry says. One goroutine uses it.
type writer struct {
	policy   policy
	logger   *slog.Logger
	disputed map[string]bool // hosts that two have; each is logged once
}

// replace makes a snapshot of all routes.
func (w *writer) replace(ctx context.Context, last *snapshot, routes iter.Seq2[tenancy.Route, error]) (*snapshot, error) {
	next := newSnapshot(w.policy, len(last.tenants), len(last.hosts))
	disputed := map[string]bool{}
	for route, err := range routes {
		if err != nil {
			return nil, err
		}
		next.add(w.policy, route, func(host string) { disputed[host] = true })
	}
	for host := range disputed {
		if !w.disputed[host] {
			w.warn(ctx, next, host)
		}
	}
	w.disputed = disputed
	return next, nil
}

// patch makes a snapshot in which the tenants of ids, and those of routes, are what routes says, or gone. Where nothing
// has changed it is the last one.
func (w *writer) patch(ctx context.Context, last *snapshot, ids []int64, routes []tenancy.Route) *snapshot {
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
	before := w.disputed
	w.disputed = map[string]bool{}
	for host := range before {
		w.disputed[host] = true
	}
	for id := range changed {
		next.remove(w.policy, id, func(host string) { delete(w.disputed, host) })
	}
	for _, route := range changed {
		if route == nil {
			continue
		}
		next.add(w.policy, *route, func(host string) {
			if w.disputed[host] = true; !before[host] {
				w.warn(ctx, next, host)
			}
		})
	}
	return next
}

func (w *writer) warn(ctx context.Context, s *snapshot, host string) {
	c := s.hosts[host]
	if c.domain == publicSite {
		w.logger.WarnContext(ctx, "a public host is a tenant's too: the public site has it", slog.String("host", host))
		return
	}
	w.logger.ErrorContext(ctx, "host stands for two tenants: neither gets it", slog.String("host", host),
		slog.String("domain_of", c.domain.Slug), slog.String("slug_of", c.slug.Slug))
}
