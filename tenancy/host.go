package tenancy

import "github.com/oryne/pgtenant/internal/hostname"

// NormalizeHost returns the form of a host under which the registry knows it: lower case, internationalised names in
// ASCII (IDNA, punycode), without port and trailing dot. An IP address is in its canonical text, IPv6 without brackets.
// host is what a Host header may hold. The error is a [FieldError] that wraps [ErrInvalidHost].
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
	return &FieldError{Field: field, Value: host[:min(len(host), hostname.MaxShown)], Rule: rule.Error(), Err: ErrInvalidHost}
}
