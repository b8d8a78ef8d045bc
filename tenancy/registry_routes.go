package tenancy

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// Channel is the name of the notifications that announce changes in the registry. The payload is
// the id of the changed tenant. Every role of a database can send notifications. So a receiver
// treats one as a hint to read the registry, and never as an answer.
const Channel = "pgtenant_registry"

// Route is a tenant and the hosts that route to it.
type Route struct {
	Tenant *Tenant
	Hosts  []string // its verified domains, the primary one first
}

// RouteFilter selects the routes to read. The zero value selects all; with several fields, a tenant
// is selected if any of them matches.
type RouteFilter struct {
	IDs   []int64  // ids of tenants
	Hosts []string // normalised; a matching tenant comes with all its hosts
	Slugs []string // slugs of tenants
}

// Routes reads, in one query, the tenants and their hosts, ordered by id and in any status except
// [Stocked]. If the query fails, it yields the error and ends. It holds a connection until the
// iteration has ended.
func (r *Registry) Routes(ctx context.Context, f RouteFilter) iter.Seq2[Route, error] {
	return func(yield func(Route, error) bool) {
		if err := r.eachRoute(ctx, f, func(route Route) bool { return yield(route, nil) }); err != nil {
			yield(Route{}, fmt.Errorf("read routes: %w", err))
		}
	}
}

// allRoutes makes one pass over both tables; someRoutes finds a few tenants by their keys.
const (
	allRoutes = "select " + tenantColumns + `, coalesce(d.hosts, '{}') from {registry}.tenants t
		left join (select tenant_id, array_agg(host order by is_primary desc, host) as hosts
			from {registry}.domains where verified_at is not null group by tenant_id) d on d.tenant_id = t.id
		where t.status <> 'stocked' order by t.id`
	someRoutes = "select " + tenantColumns + `,
			array(select host from {registry}.domains where tenant_id = t.id and verified_at is not null
				order by is_primary desc, host)
		from {registry}.tenants t where t.status <> 'stocked' and t.id in (select unnest($1::bigint[])
			union select id from {registry}.tenants where slug = any($3)
			union select tenant_id from {registry}.domains where host = any($2) and verified_at is not null) order by t.id`
)

func (r *Registry) eachRoute(ctx context.Context, f RouteFilter, yield func(Route) bool) error {
	sql, args := allRoutes, []any(nil)
	if f.IDs != nil || f.Hosts != nil || f.Slugs != nil {
		sql, args = someRoutes, []any{f.IDs, f.Hosts, f.Slugs}
	}
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx), sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		route := Route{Tenant: &Tenant{}}
		var until *time.Time
		if err := rows.Scan(append(tenantFields(route.Tenant, &until), &route.Hosts)...); err != nil {
			return err
		}
		if until != nil {
			route.Tenant.Until = *until
		}
		if !yield(route) {
			return nil
		}
	}
	return rows.Err()
}
