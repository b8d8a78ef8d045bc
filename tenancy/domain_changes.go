package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// AddDomain adds a domain to a tenant on behalf of the platform, and returns it. The domain is
// verified at once. A tenant's first domain becomes its primary domain. If the tenant had claimed
// the domain, the claim becomes the domain. Claims of other tenants stay, but can no longer be
// verified. If the tenant already has the domain, it is returned unchanged.
//
// For all operations on domains: host is normalised by [NormalizeHost]. A wildcard, an IP address
// or an invalid host is a [FieldError]. Other errors are [ErrNotFound], a [StatusError], and
// [ErrDomainTaken] for a domain that another tenant has verified. After each of these errors
// nothing was changed. Each operation is one statement or transaction, and can be run again after a
// [StepError].
func (m *Manager) AddDomain(ctx context.Context, slug, host string) (Domain, error) {
	return m.onDomain(ctx, OpAddDomain, slug, host, nil, func(ctx context.Context, tx pgx.Tx, d *Domain) error {
		return changeDomain(ctx, tx, d, `insert into {registry}.domains as d (tenant_id, host, is_primary, verified_at)
			values ($1, $2, `+firstDomain+`, now()) on conflict (tenant_id, host)
			do update set verified_at = coalesce(d.verified_at, now()), token = '',
				is_primary = d.is_primary or excluded.is_primary
			returning `+domainDetailsColumns)
	})
}

// firstDomain is a SQL expression that is true if the tenant $1 has no primary domain yet. The
// caller holds the tenant's lock.
const firstDomain = "not exists (select from {registry}.domains where tenant_id = $1 and is_primary)"

// SetPrimaryDomain makes a verified domain of a tenant its primary domain, and returns it. The
// former primary domain becomes a secondary one. If the domain is primary already, nothing changes.
// The error is [ErrDomainNotFound] for a domain that the tenant does not have, [ErrNotVerified] for
// a claim, or as for [Manager.AddDomain].
func (m *Manager) SetPrimaryDomain(ctx context.Context, slug, host string) (Domain, error) {
	return m.onDomain(ctx, OpSetPrimaryDomain, slug, host, isVerified, makePrimary)
}

// RemoveDomain removes a domain, or a claim, from a tenant. Afterwards another tenant can add or
// verify the domain. The error is [ErrPrimaryDomain] for the primary domain (make another one
// primary first), [ErrDomainNotFound] for a domain that the tenant does not have, or as for
// [Manager.AddDomain].
func (m *Manager) RemoveDomain(ctx context.Context, slug, host string) error {
	remove := func(ctx context.Context, tx pgx.Tx, d *Domain) error {
		return changeDomain(ctx, tx, d, `delete from {registry}.domains d
			where tenant_id = $1 and host = $2 and not is_primary returning `+domainDetailsColumns)
	}
	_, err := m.onDomain(ctx, OpRemoveDomain, slug, host, isSecondary, remove)
	return err
}

// onDomain runs an operation on a domain of a tenant under the tenant's lock. If refuse is not nil,
// the tenant must have the domain, and an error of refuse ends the operation before any change.
// change makes the change and sets d to the domain's new row.
func (m *Manager) onDomain(
	ctx context.Context, op Op, slug, host string, refuse func(Domain) error,
	change func(ctx context.Context, tx pgx.Tx, d *Domain) error,
) (Domain, error) {
	host, err := normalizeDomain(host)
	if err != nil {
		return Domain{}, err
	}
	d := Domain{Host: host}
	_, err = m.locked(ctx, op, slug, func(l *lock, t *Tenant) error {
		d.TenantID = t.ID
		if refuse != nil {
			if d, err = m.domain(ctx, t.ID, host); err == nil {
				err = refuse(d)
			}
			if err != nil {
				return fmt.Errorf("%s %q of tenant %q: %w", op, host, slug, err)
			}
		}
		before := d
		e := execution{m, l, StepData{Op: op, Host: host}, t, Operation{}}
		return e.run(ctx, step{name: "domain", run: func(ctx context.Context) error {
			return l.write(ctx, func(tx pgx.Tx) error {
				d = before
				return change(ctx, tx, &d)
			})
		}})
	})
	if err != nil {
		return Domain{}, err
	}
	return d, nil
}

func isVerified(d Domain) error {
	if !d.Verified() {
		return ErrNotVerified
	}
	return nil
}

func isSecondary(d Domain) error {
	if d.Primary {
		return ErrPrimaryDomain
	}
	return nil
}

// domain returns the tenant's domain or claim for host, or [ErrDomainNotFound].
func (m *Manager) domain(ctx context.Context, tenant int64, host string) (Domain, error) {
	d := Domain{TenantID: tenant, Host: host}
	err := changeDomain(ctx, m.registry, &d, "select "+domainDetailsColumns+
		" from {registry}.domains d where tenant_id = $1 and host = $2")
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrDomainNotFound
	}
	return d, err
}

// changeDomain runs sql, which returns the domain's row, and sets d to that row. The first
// arguments of sql are the tenant's id and the host.
func changeDomain(ctx context.Context, db Querier, d *Domain, sql string, args ...any) error {
	changed, err := writeRow(ctx, db, scanDomain, sql, append([]any{d.TenantID, d.Host}, args...)...)
	if err != nil {
		return conflict(err)
	}
	*d = changed
	return nil
}

// makePrimary makes d the primary domain. It uses two statements, because PostgreSQL checks the
// unique index on primary domains row by row.
func makePrimary(ctx context.Context, tx pgx.Tx, d *Domain) error {
	_, err := tx.Exec(ctx, `update {registry}.domains set is_primary = false
		where tenant_id = $1 and is_primary and host <> $2`, d.TenantID, d.Host)
	if err != nil {
		return err
	}
	return changeDomain(ctx, tx, d, `update {registry}.domains d set is_primary = true where tenant_id = $1 and host = $2
		returning `+domainDetailsColumns)
}
