package tenancy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// DomainVerifier checks that the tenant that claims a domain controls it.
type DomainVerifier interface {
	// Verify returns nil if Token is published for the domain. Otherwise the error says that it is
	// not, or why the check failed. No lock is held during the call. It must be safe for concurrent
	// use.
	Verify(ctx context.Context, d Domain) error
}

// DomainVerifierFunc is a function that implements [DomainVerifier].
type DomainVerifierFunc func(ctx context.Context, d Domain) error

// Verify calls f.
func (f DomainVerifierFunc) Verify(ctx context.Context, d Domain) error { return f(ctx, d) }

// MaxClaims is the maximum number of unverified claims of one tenant. A limit is needed because
// every tenant that signs up can claim domains, and a claim stays until it is verified or removed.
const MaxClaims = 100

// ClaimDomain records that a tenant claims a domain, and returns the claim. The tenant has to
// publish its Token, see [DNSVerifier]. A claim routes no requests. Any number of tenants may claim
// a domain; the first one that passes [Manager.VerifyDomain] gets it. A second claim by the same
// tenant makes a new token, and the old token becomes invalid. If the tenant already has the
// domain, it is returned unchanged, without a token. The error is [ErrTooManyClaims] for a tenant
// that has [MaxClaims] other claims. Other errors are as for [Manager.AddDomain].
func (m *Manager) ClaimDomain(ctx context.Context, slug, host string) (Domain, error) {
	return m.onDomain(ctx, OpClaimDomain, slug, host, nil, func(ctx context.Context, tx pgx.Tx, d *Domain) error {
		var others int // exact, because the tenant is locked
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

// VerifyDomain turns a tenant's claim into a verified domain, if [Config].Domains confirms it, and
// returns the domain. The first domain of a tenant becomes its primary domain. A domain that is
// already verified is returned unchanged. The error is [ErrDomainNotFound] for a domain that the
// tenant has not claimed. It is [ErrNotVerified] together with the verifier's error if the verifier
// refuses, and [ErrDomainTaken] if another tenant has verified the domain first. Other errors are
// as for [Manager.AddDomain].
//
// VerifyDomain calls the verifier before it takes the tenant's lock, because the verifier may wait
// for servers of other parties. If the claim was renewed in the meantime, it has another token, and
// the error is [ErrNotVerified].
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
			return fmt.Errorf("%w: the claim was renewed in the meantime and has another token", ErrNotVerified)
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

// claim returns the tenant's domain or claim for host, if the tenant's status allows verification.
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

// DNSLabel is the label that a [DNSVerifier] prepends to a domain.
const DNSLabel = "_pgtenant"

// dnsTimeout limits one look-up, because otherwise the name server of the claimed domain decides
// how long it takes.
const dnsTimeout = 10 * time.Second

// TXTResolver looks up the TXT records of a DNS name. A [*net.Resolver] is one.
type TXTResolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// DNSVerifier is a [DomainVerifier] that looks for the token of a domain in the TXT records of
// _pgtenant.<host>. A look-up takes at most 10 seconds. The zero value is ready to use.
type DNSVerifier struct {
	// Resolver does the look-ups. Default: [net.DefaultResolver].
	Resolver TXTResolver
}

var (
	_ DomainVerifier = DNSVerifier{}
	_ TXTResolver    = (*net.Resolver)(nil)
)

// Verify returns nil if one of the TXT records equals the token. An error of the resolver is
// returned unchanged: a [*net.DNSError] for a resolver of package net. ctx governs the look-up.
func (v DNSVerifier) Verify(ctx context.Context, d Domain) error {
	if d.Token == "" { // an empty record would equal it
		return errors.New("domain has no token")
	}
	var resolver TXTResolver = net.DefaultResolver
	if v.Resolver != nil {
		resolver = v.Resolver
	}
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	// The trailing dot keeps the resolver from trying the search domains of the local machine.
	name := DNSLabel + "." + d.Host + "."
	records, err := resolver.LookupTXT(ctx, name)
	if err != nil {
		return err
	}
	if !slices.Contains(records, d.Token) {
		return fmt.Errorf("none of the %d TXT records of %s is the token", len(records), name)
	}
	return nil
}
