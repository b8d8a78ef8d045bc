package resolver

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/oryne/pgtenant/tenancy"
)

// policy is what the configuration says about hosts. It does not change.
type policy struct {
	public []string // normalised
	bases  []string // normalised
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
				Field: "host", Value: base, Rule: "is an IP address", Err: tenancy.ErrInvalidHost,
			})
		}
		p.bases = append(p.bases, name)
	}
	return p, nil
}

// baseHosts calls fn with the hosts that a slug has under the base domains.
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

// slugs returns those whose hosts under the base domains are among hosts, which are in normal form.
func (p policy) slugs(hosts iter.Seq[string]) (slugs []string) {
	for host := range hosts {
		slug, parent, _ := strings.Cut(host, ".")
		if slices.Contains(p.bases, parent) {
			slugs = append(slugs, slug)
		}
	}
	return slugs
}

// bare returns the host that a host in normal form also stands for, if there is one.
func (p policy) bare(host string) (string, bool) {
	if p.www != WWWSame {
		return "", false
	}
	return strings.CutPrefix(host, "www.")
}

// normal reports whether host is in the one form under which hosts are looked up. Others are left out: the registry
// could hold one only by hand, and a slug may be no valid label, such as "xn--a".
func normal(host string) bool {
	name, err := tenancy.NormalizeHost(host)
	return err == nil && name == host
}
