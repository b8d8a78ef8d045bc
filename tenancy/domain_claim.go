package tenancy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// DomainVerifier proves that a domain is the tenant's that claims it.
type DomainVerifier interface {
	// Verify returns nil if whoever has the domain has published its Token, and else says why it
	// cannot tell or that they have not. It holds no lock. It is safe for concurrent use.
	Verify(ctx context.Context, d Domain) error
}

// DomainVerifierFunc is a function as a [DomainVerifier].
type DomainVerifierFunc func(ctx context.Context, d Domain) error

// Verify calls f.
func (f DomainVerifierFunc) Verify(ctx context.Context, d Domain) error { return f(ctx, d) }

// MaxClaims is how many domains a tenant can claim at a time that are not verified: whoever signs
// up can claim, and a claim stays until it is verified or removed.
const MaxClaims = 100

// ClaimDomain notes that a tenant says a domain is its own, and returns it with the Token that the
// tenant has to publish, see [DNSVerifier]. No request is led by a claim. Any number of tenants may
// claim a domain; the first one that [Manager.VerifyDomain] finds right has it. To claim again
// makes a new token, and the old one worthless; a domain that the tenant has already is returned as
// it is, without a token. A tenant that has [MaxClaims] claims can make no other:
// [ErrTooManyClaims]. Other errors are as for [Manager.AddDomain].
func (m *Manager) ClaimDomain(ctx context.Context, slug, host string) (Domain, error) {
	return m.onDomain(ctx, OpClaimDomain, slug, host, nil, func(ctx context.Context, tx pgx.Tx, d *Domain) error {
		var others int // exact: the tenant is locked
		err := tx.QueryRow(ctx, `select count(*) from {registry}.domains
			where tenant_id = $1 and host <> $2 and verified_at is null`, d.TenantID, d.Host).Scan(&others)
		if err == nil && others >= MaxClaims {
			err = ErrTooManyClaims
		}
		if err != nil {
			return err
		}
		err = changeDomain(ctx, tx, d, `insert into {registry}.domains as d (tenant_id, host, is_primary, token)
			select $1, $2, false, $3
			where not exists (select from {registry}.domains where host = $2 and tenant_id <> $1 and verified_at is not null)
			on conflict (tenant_id, host)
			do update set token = case when d.verified_at is null then excluded.token else d.token end
			returning `+domainDetailsColumns, rand.Text())
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrDomainTaken
		}
		return err
	})
}

// VerifyDomain makes a domain that a tenant has claimed the tenant's own, if [Config].Domains says
// that it is. The first domain of a tenant becomes its primary one. A domain that is the tenant's
// already is returned as it is. What the tenant has not claimed is [ErrDomainNotFound], what the
// verifier refuses [ErrNotVerified], together with the verifier's error; where another tenant was
// first it is [ErrDomainTaken]. Other errors are as for [Manager.AddDomain].
//
// The verifier is asked before the tenant's lock is taken, as it may wait for strangers. A claim
// that was made anew meanwhile has another token, and is [ErrNotVerified].
func (m *Manager) VerifyDomain(ctx context.Context, slug, host string) (Domain, error) {
	claim, err := m.claim(ctx, slug, host)
	if err != nil || claim.Verified() {
		return claim, err
	}
	if err := m.cfg.Domains.Verify(ctx, claim); err != nil {
		return Domain{}, fmt.Errorf("verify domain %q of tenant %q: %w: %w", claim.Host, slug, ErrNotVerified, err)
	}
	same := func(d Domain) error {
		if d.TenantID != claim.TenantID || !d.Verified() && d.Token != claim.Token {
			return fmt.Errorf("%w: it was claimed anew meanwhile", ErrNotVerified)
		}
		return nil
	}
	return m.onDomain(ctx, OpVerifyDomain, slug, claim.Host, same, func(ctx context.Context, tx pgx.Tx, d *Domain) error {
		return changeDomain(ctx, tx, d, `update {registry}.domains d
			set verified_at = coalesce(verified_at, now()), token = '', is_primary = d.is_primary or `+firstDomain+`
			where tenant_id = $1 and host = $2 and (verified_at is not null or token = $3)
			returning `+domainDetailsColumns, claim.Token)
	})
}

// claim returns what the tenant has of the host, if its status allows to verify that.
func (m *Manager) claim(ctx context.Context, slug, host string) (Domain, error) {
	host, err := normalizeDomain(host)
	if err != nil {
		return Domain{}, err
	}
	t, err := m.BySlug(ctx, slug)
	if err != nil {
		return Domain{}, fmt.Errorf("%s: %w", OpVerifyDomain, err)
	}
	if err := OpVerifyDomain.check(&t); err != nil {
		return Domain{}, err
	}
	d, err := m.domain(ctx, t.ID, host)
	if err != nil {
		return Domain{}, fmt.Errorf("%s %q of tenant %q: %w", OpVerifyDomain, host, slug, err)
	}
	return d, nil
}
