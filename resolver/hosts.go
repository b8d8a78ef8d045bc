package resolver

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/oryne/pgtenant/tenancy"
)

// policy is the part of the configuration that concerns hosts. It does not change.
type policy struct {
	public []string // in normal form
	bases  []string // in normal form
	www    WWW
}

func newPolicy(cfg Config) (policy, error) {
	p := policy{www: cfg.WWW}
	for _, host := range cfg.PublicHosts {
		name, err := tenancy.NormalizeHost(host)
		if err != nil {
			return p, fmt.Errorf("public host: %w", err)
		}
		p.public = append(p.public, name)
	}
	for _, base := range cfg.BaseDomains {
		name, err := tenancy.NormalizeHost(base)
		if err != nil {
			return p, fmt.Errorf("base domain: %w", err)
		}
		if _, err := netip.ParseAddr(name); err == nil {
			return p, fmt.Errorf("base domain: %w", &tenancy.FieldError{
				Field: "base_domains", Value: base, Rule: "is an IP address", Err: tenancy.ErrInvalidHost,
			})
		}
		p.bases = append(p.bases, name)
	}
	return p, nil
}

// baseHosts calls fn with each host that a slug has under the base domains.
func (p policy) baseHosts(slug string, fn func(host string)) {
	if slug == "www" && p.www == WWWSame {
		return // www.<base> stands for <base>
	}
	for _, base := range p.bases {
		if host := slug + "." + base; normal(host) {
			fn(host)
		}
	}
}

// slugs returns the slugs of the hosts that are under a base domain. hosts are in normal form.
func (p policy) slugs(hosts iter.Seq[string]) (slugs []string) {
	for host := range hosts {
		slug, parent, _ := strings.Cut(host, ".")
		if slices.Contains(p.bases, parent) {
			slugs = append(slugs, slug)
		}
	}
	return slugs
}

// bare returns host without "www." if the policy is [WWWSame] and host begins with it. host is in
// normal form.
func (p policy) bare(host string) (string, bool) {
	if p.www != WWWSame {
		return "", false
	}
	return strings.CutPrefix(host, "www.")
}

// normal reports whether host is in normal form. Snapshots contain no other hosts. The registry has
// other hosts only if its rows were written by hand. A slug may not be a valid label, such as
// "xn--a".
func normal(host string) bool {
	name, err := tenancy.NormalizeHost(host)
	return err == nil && name == host
}
