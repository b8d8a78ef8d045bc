package tenancy

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/hostname"
	"github.com/oryne/pgtenant/schemactx"
)

// Domain is a host of a tenant. If a tenant has verified domains, exactly one of them is its
// primary domain.
type Domain struct {
	TenantID   int64
	Host       string // in the form of [NormalizeHost]; verified for at most one tenant
	Primary    bool   // links to the tenant use this domain
	VerifiedAt time.Time
	CreatedAt  time.Time

	// Token is the text that the holder of a claimed domain publishes to prove the claim. It is empty
	// for a verified domain, and if a [Registry] that is not a [Manager] has read the domain.
	Token string
}

// Verified reports whether the domain is verified: the tenant has proven it, or the platform has
// added it. A domain that is not verified is a claim, and requests to it do not reach the tenant.
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

// Domains returns the domains of a tenant, including claims: the primary domain first, then by
// host. For a tenant that does not exist it returns no domains and no error. ctx governs the query.
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

// NormalizeHost returns the form in which the registry stores a host: lower case, internationalised
// names in ASCII (IDNA, punycode), without port and trailing dot. An IP address becomes its
// canonical text, IPv6 without brackets. host is any value of a Host header. The error is a
// [FieldError] that wraps [ErrInvalidHost].
//
// For a host that is already in this form, it makes one pass over it and does not allocate.
func NormalizeHost(host string) (string, error) {
	name, err := hostname.Normalize(host)
	if err != nil {
		return "", hostError("host", host, err)
	}
	return name, nil
}

// normalizeDomain returns the normal form of a domain that a tenant may register. The error is as
// for [NormalizeHost].
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
