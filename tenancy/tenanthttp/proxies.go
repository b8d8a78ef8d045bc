package tenanthttp

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/oryne/pgtenant/tenancy"
)

// ForwardHeaders says which headers a proxy sets to describe the request that it received.
type ForwardHeaders int

const (
	// XForwarded are X-Forwarded-Host, X-Forwarded-For and X-Forwarded-Proto. It is the default.
	XForwarded ForwardHeaders = iota

	// XForwardedFor are X-Forwarded-For and X-Forwarded-Proto alone: the proxy passes the Host header
	// on unchanged.
	XForwardedFor

	// Forwarded is the header of RFC 7239.
	Forwarded
)

// ProxyConfig says which proxies are trusted.
type ProxyConfig struct {
	// Trusted are the addresses from which the proxies connect to this program and to each other.
	// Required. Every other process that can connect from there can forge the host and the client's
	// address.
	Trusted []netip.Prefix

	// Headers are the headers that the proxy sets. A proxy passes on all others as the client sent
	// them, so with a wrong value clients can forge the host. Default: [XForwarded].
	Headers ForwardHeaders
}

// Proxies returns the host, the address and the scheme of a client whose request came through
// trusted proxies. It ignores the forwarded headers of a request from any other address. A nil
// *Proxies trusts no proxy. Proxies is safe for concurrent use.
//
// A header may be a list. The proxy in front of this program has added the last value, and has
// received the values before it. The host and the scheme are always the last value: in a chain, the
// inner proxies pass them on. The client's address is the last one that is not a trusted proxy's.
type Proxies struct {
	trusted []netip.Prefix
	headers ForwardHeaders
}

// NewProxies returns the proxies of cfg. The error is a [tenancy.FieldError] if cfg is invalid:
// also for no prefix, and for a prefix of all addresses, with which any client could forge its
// host.
func NewProxies(cfg ProxyConfig) (*Proxies, error) {
	if len(cfg.Trusted) == 0 {
		return nil, &tenancy.FieldError{Field: "trusted", Rule: "is empty: name the addresses of the proxies"}
	}
	if cfg.Headers < XForwarded || cfg.Headers > Forwarded {
		return nil, &tenancy.FieldError{
			Field: "headers",
			Value: fmt.Sprint(int(cfg.Headers)),
			Rule:  "are not XForwarded, XForwardedFor or Forwarded",
		}
	}
	for _, prefix := range cfg.Trusted {
		rule := ""
		switch {
		case !prefix.IsValid():
			rule = "is not a valid prefix"
		case prefix.Bits() == 0:
			rule = "trusts every address"
		case prefix.Addr().Is4In6():
			rule = "is an IPv4 address in IPv6 form: write it as IPv4"
		}
		if rule != "" {
			return nil, &tenancy.FieldError{Field: "trusted", Value: prefix.String(), Rule: rule}
		}
	}
	return &Proxies{trusted: slices.Clone(cfg.Trusted), headers: cfg.Headers}, nil
}

// Host returns the host that the client asked for: that of the trusted proxy's header, or r.Host
// without such a header. The error is a [tenancy.FieldError] that wraps [tenancy.ErrInvalidHost]
// for a malformed header. It is [tenancy.ErrAmbiguousTenant] if X-Forwarded-Host and Forwarded name
// two hosts, because one of them is from the client.
func (p *Proxies) Host(r *http.Request) (string, error) {
	if !p.trusts(remoteAddr(r)) || p.headers == XForwardedFor {
		return r.Host, nil
	}
	x := lastValue(r.Header["X-Forwarded-Host"])
	forwarded, err := lastForwarded(r.Header["Forwarded"])
	if err != nil {
		return "", err
	}
	host, other := x, forwarded.host
	if p.headers == Forwarded {
		host, other = other, host
	}
	if err := checkSame(host, other); err != nil {
		return "", err
	}
	if host == "" {
		return r.Host, nil
	}
	return host, nil
}

// checkSame returns an error unless both hosts are the same or one is missing.
func checkSame(host, other string) error {
	if host == "" || other == "" || host == other {
		return nil
	}
	a, err := tenancy.NormalizeHost(host)
	if err != nil {
		return err
	}
	b, err := tenancy.NormalizeHost(other)
	if err != nil {
		return err
	}
	if a != b {
		return fmt.Errorf("%w: X-Forwarded-Host and Forwarded", tenancy.ErrAmbiguousTenant)
	}
	return nil
}

// ClientIP returns the address of the client: the address that connected, or, behind trusted
// proxies, the last address of the header that is not a trusted proxy's. If a proxy does not report
// an address (no header, "unknown", a name), the result is the nearest known address. It is the
// zero Addr if the request did not come over an IP connection. An IPv4 address never has the IPv6
// form, and the address has no zone.
func (p *Proxies) ClientIP(r *http.Request) netip.Addr {
	addr := remoteAddr(r)
	if p == nil {
		return addr
	}
	hops := reverseList{lines: r.Header["X-Forwarded-For"]}
	if p.headers == Forwarded {
		hops = reverseList{lines: forwardedNodes(r.Header["Forwarded"])}
	}
	for p.trusts(addr) {
		node, more := hops.next()
		before, ok := parseNode(node)
		if !more || !ok {
			break
		}
		addr = before
	}
	return addr
}

// Scheme returns "https" or "http": the client's scheme as the trusted proxy reports it, or the
// scheme of r itself.
func (p *Proxies) Scheme(r *http.Request) string {
	if p.trusts(remoteAddr(r)) {
		scheme := lastValue(r.Header["X-Forwarded-Proto"])
		if p.headers == Forwarded {
			element, _ := lastForwarded(r.Header["Forwarded"]) // empty if the header is malformed
			scheme = element.proto
		}
		if scheme == "http" || scheme == "https" {
			return scheme
		}
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func (p *Proxies) trusts(addr netip.Addr) bool {
	return p != nil && slices.ContainsFunc(p.trusted, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// remoteAddr returns the address that connected, or the zero Addr, which no prefix contains.
func remoteAddr(r *http.Request) netip.Addr {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr().Unmap().WithZone("")
}
