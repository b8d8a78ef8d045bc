package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// MoveDomainParams say which domain [Manager.MoveDomain] moves from one tenant to another.
type MoveDomainParams struct {
	Host string // a verified domain of From
	From string // slug of the tenant that has the domain
	To   string // slug of the tenant that gets the domain

	// NewPrimary is the verified domain of From that becomes its primary domain. It is required if
	// Host is the primary domain. Default: the primary domain stays.
	NewPrimary string
}

func (p MoveDomainParams) validate() (MoveDomainParams, error) {
	host, err := normalizeDomain(p.Host)
	if err != nil {
		return p, err
	}
	p.Host = host
	if p.From == p.To {
		return p, &FieldError{Field: "to", Value: p.To, Rule: "is the tenant that already has the domain"}
	}
	if p.NewPrimary == "" {
		return p, nil
	}
	if p.NewPrimary, err = normalizeDomain(p.NewPrimary); err != nil {
		return p, err
	}
	if p.NewPrimary == p.Host {
		return p, &FieldError{Field: "new_primary", Value: p.NewPrimary, Rule: "is the domain that is moved"}
	}
	return p, nil
}

// MoveDomain moves a verified domain from one tenant to another, in one transaction, so that at any
// time exactly one of them has it. It replaces a claim of the other tenant on the same host. The
// domain becomes the primary domain of a tenant that has none. If the domain has been moved
// already, it is returned unchanged.
//
// The error is [ErrDomainNotFound] for a domain that From does not have, [ErrNotVerified] for a
// claim, and [ErrPrimaryDomain] for the primary domain if NewPrimary is not set. Other errors are
// as for [Manager.AddDomain]. MoveDomain holds the locks of both tenants. [Hooks] get From as
// Tenant and To as Other.
func (m *Manager) MoveDomain(ctx context.Context, p MoveDomainParams) (Domain, error) {
	p, err := p.validate()
	if err != nil {
		return Domain{}, err
	}
	from, to, l, err := m.lockBoth(ctx, p.From, p.To)
	if err != nil {
		return Domain{}, fmt.Errorf("%s: %w", OpMoveDomain, err)
	}
	defer l.release(ctx)
	if err := errors.Join(OpMoveDomain.check(&from), OpMoveDomain.check(&to)); err != nil {
		return Domain{}, err
	}
	d, err := m.movable(ctx, p, &from)
	if errors.Is(err, ErrDomainNotFound) {
		if moved, err := m.domain(ctx, to.ID, p.Host); err == nil && moved.Verified() {
			return moved, nil
		}
	}
	if err != nil {
		return Domain{}, fmt.Errorf("%s %q from tenant %q to %q: %w", OpMoveDomain, p.Host, p.From, p.To, err)
	}
	before := d
	e := execution{m, l, StepData{Op: OpMoveDomain, Host: p.Host, Other: &to}, &from, Operation{}}
	err = e.run(ctx, step{name: "domain", run: func(ctx context.Context) error {
		return l.write(ctx, func(tx pgx.Tx) error {
			d = before
			return moveDomain(ctx, tx, p, &d, to.ID)
		})
	}})
	if err != nil {
		return Domain{}, err
	}
	return d, nil
}

// movable returns the domain. It returns an error if the domain cannot be moved.
func (m *Manager) movable(ctx context.Context, p MoveDomainParams, from *Tenant) (Domain, error) {
	d, err := m.domain(ctx, from.ID, p.Host)
	switch {
	case err != nil:
		return d, err
	case !d.Verified():
		return d, ErrNotVerified
	case p.NewPrimary == "" && d.Primary:
		return d, ErrPrimaryDomain
	case p.NewPrimary == "":
		return d, nil
	}
	next, err := m.domain(ctx, from.ID, p.NewPrimary)
	if err == nil {
		err = isVerified(next)
	}
	if err != nil {
		err = fmt.Errorf("new primary domain %q: %w", p.NewPrimary, err)
	}
	return d, err
}

// moveDomain moves the domain d to the tenant with the id to. Afterwards d is the moved domain.
func moveDomain(ctx context.Context, tx pgx.Tx, p MoveDomainParams, d *Domain, to int64) error {
	from, host := d.TenantID, d.Host
	if p.NewPrimary != "" {
		if err := makePrimary(ctx, tx, &Domain{TenantID: from, Host: p.NewPrimary}); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `delete from {registry}.domains
		where tenant_id = $1 and host = $2 and verified_at is null`, to, host)
	if err != nil {
		return err
	}
	return changeDomain(ctx, tx, d, `update {registry}.domains d set tenant_id = $3,
			is_primary = not exists (select from {registry}.domains where tenant_id = $3 and is_primary)
		where tenant_id = $1 and host = $2 and verified_at is not null and not is_primary
		returning `+domainDetailsColumns, to)
}

// lockBoth takes the locks of two tenants, that of the lower id first, so that two calls do not
// wait for each other. The caller releases l, which holds both.
func (m *Manager) lockBoth(ctx context.Context, slugA, slugB string) (a, b Tenant, l *lock, err error) {
	if a, err = m.BySlug(ctx, slugA); err != nil {
		return a, b, nil, err
	}
	if b, err = m.BySlug(ctx, slugB); err != nil {
		return a, b, nil, err
	}
	if l, err = m.openLock(ctx); err != nil {
		return a, b, nil, err
	}
	first, second := &a, &b
	if b.ID < a.ID {
		first, second = &b, &a
	}
	for _, t := range []*Tenant{first, second} {
		slug := t.Slug
		if *t, err = l.take(ctx, t.ID); err == nil && t.Slug != slug { // renamed in the meantime
			err = fmt.Errorf("%w: %q", ErrNotFound, slug)
		}
		if err != nil {
			l.release(ctx)
			return a, b, nil, err
		}
	}
	return a, b, l, nil
}
