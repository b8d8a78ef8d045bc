package tenanthttp

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/oryne/pgtenant/tenancy"
)

// ForwardHeaders says in which headers a proxy tells of the request that it got.
type ForwardHeaders int

const (
	// XForwarded are X-Forwarded-Host, X-Forwarded-For and X-Forwarded-Proto. It is the default.
	XForwarded ForwardHeaders = iota

	// XForwardedFor are X-Forwarded-For and X-Forwarded-Proto alone: the proxy passes the Host on as it is.
	XForwardedFor

	// Forwarded is the header of RFC 7239.
	Forwarded
)

// ProxyConfig says which proxies are trusted.
type ProxyConfig struct {
	// Trusted are the addresses of the proxies, as they connect to this program and to each other. Required. Who else can
	// connect from there can give any host and any address as a client's.
	Trusted []netip.Prefix

	// Headers are those that the proxy sets. This has to be right, because a proxy passes on what it does not set, as
	// the client sent it. Default: [XForwarded].
	Headers ForwardHeaders
}

// Proxies knows of a request that came through trusted proxies what the client asked for. A request from anywhere else
// is taken as it is, whatever headers it has; by a nil *Proxies, every request is. It is safe for concurrent use.
//
// Of a header that is a list, the last value is that of the proxy in front of this program, and those before it are
// what the proxy was sent. The host and the scheme are always that last value: where several proxies stand in a row,
// the inner ones leave them as they got them. The client's address is the last that is not a trusted proxy's.
type Proxies struct {
	trusted []netip.Prefix
	headers ForwardHeaders
}

// NewProxies returns the proxies of cfg. It takes no configuration that trusts everybody: no prefix is a slip, and one of
// no bits would be a way to write any host.
func NewProxies(cfg ProxyConfig) (*Proxies, error) {
	if len(cfg.Trusted) == 0 {
		return nil, errors.New("tenanthttp: ProxyConfig.Trusted is empty")
	}
	if cfg.Headers < XForwarded || cfg.Headers > Forwarded {
		return nil, &tenancy.FieldError{Field: "headers", Value: fmt.Sprint(int(cfg.Headers)), Rule: "are none that a proxy sets"}
	}
	for _, prefix := range cfg.Trusted {
		rule := ""
		switch {
		case !prefix.IsValid():
			rule = "is not a prefix"
		case prefix.Bits() == 0:
			rule = "trusts every address"
		case prefix.Addr().Is4In6():
			rule = "is an IPv4 address inside of IPv6; write it as IPv4"
		}
		if rule != "" {
			return nil, &tenancy.FieldError{Field: "trusted", Value: prefix.String(), Rule: rule}
		}
	}
	return &Proxies{trusted: slices.Clone(cfg.Trusted), headers: cfg.Headers}, nil
}

// Host returns the host that the client asked for: that of the trusted proxy's header, or r.Host where it sends none.
// What is not a well-formed header is a [tenancy.FieldError] that wraps [tenancy.ErrInvalidHost]. Where X-Forwarded-Host and Forwarded name
// two hosts the error is [tenancy.ErrDisagree]: one of them was passed on from the client.
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
	if err := agree(host, other); err != nil {
		return "", err
	}
	if host == "" {
		return r.Host, nil
	}
	return host, nil
}

// agree returns an error unless both hosts are the same or one is missing.
func agree(host, other string) error {
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
		return fmt.Errorf("%w: X-Forwarded-Host and Forwarded", tenancy.ErrDisagree)
	}
	return nil
}

// ClientIP returns the address of the client: the one that connected, or, behind trusted proxies, the last one of the
// header that is not a trusted proxy's. Where a proxy does not say (no header, "unknown", a name), it is the nearest
// address that is known. It is the zero Addr where the request has come over no IP connection. IPv4 is never written as
// IPv6, and there is no zone.
func (p *Proxies) ClientIP(r *http.Request) netip.Addr {
	addr := remoteAddr(r)
	if p == nil {
		return addr
	}
	hops := backwards{lines: r.Header["X-Forwarded-For"]}
	if p.headers == Forwarded {
		hops = backwards{lines: forwardedNodes(r.Header["Forwarded"])}
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

// Scheme returns "https" or "http": what the trusted proxy says that the client used, else what r itself came by.
func (p *Proxies) Scheme(r *http.Request) string {
	if p.trusts(remoteAddr(r)) {
		said := lastValue(r.Header["X-Forwarded-Proto"])
		if p.headers == Forwarded {
			element, _ := lastForwarded(r.Header["Forwarded"]) // of a malformed header it is empty
			said = element.proto
		}
		if said == "http" || said == "https" {
			return said
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

// remoteAddr returns who connected, or the zero Addr, which no prefix contains.
func remoteAddr(r *http.Request) netip.Addr {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr().Unmap().WithZone("")
}
