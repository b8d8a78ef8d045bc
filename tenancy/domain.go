package tenancy

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/hostname"
	"github.com/oryne/pgtenant/schemactx"
)

// Domain is a host of a tenant. A tenant with verified domains has exactly one primary domain.
type Domain struct {
	TenantID   int64
	Host       string // in the form of [NormalizeHost]; at most one tenant has it verified
	Primary    bool   // the domain that links to the tenant use
	VerifiedAt time.Time
	CreatedAt  time.Time

	// Token is the text that the owner of a claimed domain publishes to prove it. It is empty for
	// verified domains, and unless a [Manager] has read the domain.
	Token string
}

// Verified reports whether the tenant has proven the domain. A domain that is not verified is a
// claim: no request finds the tenant by it.
func (d Domain) Verified() bool { return !d.VerifiedAt.IsZero() }

const (
	domainColumns        = "d.tenant_id, d.host, d.is_primary, d.verified_at, d.created_at"
	domainDetailsColumns = domainColumns + ", d.token"
)

func scanDomain(row pgx.CollectableRow) (Domain, error) {
	var d Domain
	var verified *time.Time
	to := []any{&d.TenantID, &d.Host, &d.Primary, &verified, &d.CreatedAt}
	if len(row.FieldDescriptions()) > len(to) {
		to = append(to, &d.Token)
	}
	err := row.Scan(to...)
	if verified != nil {
		d.VerifiedAt = *verified
	}
	return d, err
}

// Domains returns the domains of a tenant, claims included: the primary domain first, then by host.
// It returns none for a tenant that does not exist.
func (r *Registry) Domains(ctx context.Context, tenantID int64) ([]Domain, error) {
	columns := domainColumns
	if r.details {
		columns = domainDetailsColumns
	}
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx),
		"select "+columns+" from {registry}.domains d where d.tenant_id = $1 order by d.is_primary desc, d.host", tenantID)
	if err != nil {
		return nil, fmt.Errorf("domains of tenant %d: %w", tenantID, err)
	}
	domains, err := pgx.CollectRows(rows, scanDomain)
	if err != nil {
		return nil, fmt.Errorf("domains of tenant %d: %w", tenantID, err)
	}
	return domains, nil
}

// NormalizeHost returns the form of a host under which the registry knows it: lower case,
// internationalised names in ASCII (IDNA, punycode), without port and trailing dot. An IP address
// is in its canonical text, IPv6 without brackets. host is what a Host header may hold. The error
// is a [FieldError] that wraps [ErrInvalidHost].
//
// A host that is in this form already costs one pass over it and no allocation.
func NormalizeHost(host string) (string, error) {
	name, err := hostname.Normalize(host)
	if err != nil {
		return "", hostError("host", host, err)
	}
	return name, nil
}

// normalizeDomain returns the normal form of a domain that a tenant may register.
func normalizeDomain(domain string) (string, error) {
	name, err := hostname.NormalizeDomain(domain)
	if err != nil {
		return "", hostError("domain", domain, err)
	}
	return name, nil
}

func hostError(field, host string, rule error) error {
	value := host[:min(len(host), hostname.MaxShown)]
	return &FieldError{Field: field, Value: value, Rule: rule.Error(), Err: ErrInvalidHost}
}
