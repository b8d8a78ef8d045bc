package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// AddDomain gives a tenant a domain by the platform's word: it is verified at once. A tenant's
// first domain becomes its primary one. The tenant's own claim of the domain is settled by that;
// claims of others stay and come to nothing. A domain that the tenant has already is returned as it
// is.
//
// Of the operations on domains: host is normalised by [NormalizeHost], and is no IP address and no
// wildcard, else it is a [FieldError]. A tenant or status that does not fit is [ErrNotFound] or a
// [StatusError], a domain that another tenant has verified [ErrDomainTaken]. After each of these
// nothing was changed. Each operation is one statement or transaction, and can be run again after a
// [StepError].
func (m *Manager) AddDomain(ctx context.Context, slug, host string) (Domain, error) {
	return m.onDomain(ctx, OpAddDomain, slug, host, nil, func(ctx context.Context, tx pgx.Tx, d *Domain) error {
		return changeDomain(ctx, tx, d, `insert into {registry}.domains as d (tenant_id, host, is_primary, verified_at)
			values ($1, $2, `+firstDomain+`, now()) on conflict (tenant_id, host)
			do update set verified_at = coalesce(d.verified_at, now()), token = '', is_primary = d.is_primary or excluded.is_primary
			returning `+domainDetailsColumns)
	})
}

// firstDomain is SQL for whether the tenant $1 has no primary domain yet. The caller holds its
// lock.
const firstDomain = "not exists (select from {registry}.domains where tenant_id = $1 and is_primary)"

// SetPrimaryDomain makes a verified domain of a tenant its primary one; the one before stays as
// another. A domain that the tenant does not have is [ErrDomainNotFound], one that it only claims
// [ErrNotVerified]; other errors are as for [Manager.AddDomain]. For the primary domain it changes
// nothing.
func (m *Manager) SetPrimaryDomain(ctx context.Context, slug, host string) (Domain, error) {
	return m.onDomain(ctx, OpSetPrimaryDomain, slug, host, isVerified, makePrimary)
}

// RemoveDomain takes a domain, or the claim of one, from a tenant; others may have it then. The
// primary domain is [ErrPrimaryDomain]: name another one first. A domain that the tenant does not
// have is [ErrDomainNotFound]: it may have been removed before. Other errors are as for
// [Manager.AddDomain].
func (m *Manager) RemoveDomain(ctx context.Context, slug, host string) error {
	_, err := m.onDomain(ctx, OpRemoveDomain, slug, host, isSecondary, func(ctx context.Context, tx pgx.Tx, d *Domain) error {
		return changeDomain(ctx, tx, d, `delete from {registry}.domains d where tenant_id = $1 and host = $2 and not is_primary
			returning `+domainDetailsColumns)
	})
	return err
}

// onDomain is an operation on a domain of a tenant. d, which change leaves as it is then, has no
// token and no time where the tenant does not have the domain yet. refuse, if there is one, sees
// what the tenant has, before anything happens.
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
		return e.run(ctx, step{name: "domain", write: func(ctx context.Context, tx pgx.Tx) error {
			d = before
			return change(ctx, tx, &d)
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

// domain returns what the tenant has of the host, or [ErrDomainNotFound].
func (m *Manager) domain(ctx context.Context, tenant int64, host string) (Domain, error) {
	d := Domain{TenantID: tenant, Host: host}
	err := changeDomain(ctx, m.registry, &d, "select "+domainDetailsColumns+" from {registry}.domains d where tenant_id = $1 and host = $2")
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrDomainNotFound
	}
	return d, err
}

// changeDomain runs sql, whose first arguments are the tenant's id and the host and which returns
// the domain, and reads that.
func changeDomain(ctx context.Context, db Querier, d *Domain, sql string, args ...any) error {
	rows, err := initializedQuerier{db}.Query(ctx, sql, append([]any{d.TenantID, d.Host}, args...)...)
	if err != nil {
		return conflict(err)
	}
	changed, err := pgx.CollectExactlyOneRow(rows, scanDomain)
	if err != nil {
		return conflict(err)
	}
	*d = changed
	return nil
}

// makePrimary takes two statements: the index that allows one primary domain looks at each row as
// it changes.
func makePrimary(ctx context.Context, tx pgx.Tx, d *Domain) error {
	_, err := tx.Exec(ctx, "update {registry}.domains set is_primary = false where tenant_id = $1 and is_primary and host <> $2",
		d.TenantID, d.Host)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, "update {registry}.domains d set is_primary = true where tenant_id = $1 and host = $2 returning "+
		domainDetailsColumns, d.TenantID, d.Host)
	if err != nil {
		return err
	}
	changed, err := pgx.CollectExactlyOneRow(rows, scanDomain)
	if err != nil {
		return err
	}
	*d = changed
	return nil
}
