package tenancy

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// Details are a tenant and its domains.
type Details struct {
	Tenant  Tenant
	Domains []Domain // including claims; the primary domain first, then by host
}

// Show returns the tenant with that slug, in any status, and its domains, from one snapshot. The
// error is [ErrNotFound] or that of the query.
func (r *Registry) Show(ctx context.Context, slug string) (Details, error) {
	var details Details
	if !storable(slug) {
		return Details{}, fmt.Errorf("%w: %s", ErrNotFound, strconv.Quote(slug))
	}
	err := r.show(ctx, slug, &details)
	switch {
	case err != nil:
		return Details{}, fmt.Errorf("show tenant %q: %w", slug, err)
	case details.Tenant.ID == 0:
		return Details{}, fmt.Errorf("%w: %s", ErrNotFound, strconv.Quote(slug))
	}
	return details, nil
}

// show reads one row for each domain of the tenant, or one row without a domain. It leaves details
// unchanged if the tenant does not exist.
func (r *Registry) show(ctx context.Context, slug string, details *Details) error {
	token := "''"
	if r.details {
		token = "d.token"
	}
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx), "select "+r.columns()+`,
		d.host, coalesce(d.is_primary, false), d.verified_at, coalesce(d.created_at, t.created_at), coalesce(`+token+`, '')
		from {registry}.tenants t left join {registry}.domains d on d.tenant_id = t.id where t.slug = $1
		order by d.is_primary desc, d.host`, slug)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		t, d := Tenant{}, Domain{}
		var until, verified *time.Time
		var host *string
		to := tenantFields(&t, &until)
		if r.details {
			to = append(to, &t.Operation, &t.Metadata, &t.Registry)
		}
		if err := rows.Scan(append(to, &host, &d.Primary, &verified, &d.CreatedAt, &d.Token)...); err != nil {
			return err
		}
		if until != nil {
			t.Until = *until
		}
		details.Tenant = t
		if host == nil {
			continue
		}
		if verified != nil {
			d.VerifiedAt = *verified
		}
		d.TenantID, d.Host = t.ID, *host
		details.Domains = append(details.Domains, d)
	}
	return rows.Err()
}
