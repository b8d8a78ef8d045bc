package tenancy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

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
