package ratelimit

import (
	"net/http"
	"net/netip"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// CallerFunc returns the identity of the sender of a request, or "" if it is unknown. The identity
// must be authenticated, by a session or a verified API key: a client that can choose its identity
// gets a fresh bucket with each new one. It must be safe for concurrent use.
type CallerFunc func(r *http.Request) string

// Key returns a CallerFunc that prefixes the identity with kind, such as "user" or "key".
// Identities of different kinds never collide: a user name cannot equal an address.
func Key(kind string, caller CallerFunc) CallerFunc {
	return func(r *http.Request) string {
		name := caller(r)
		if name == "" {
			return ""
		}
		return kind + ":" + name
	}
}

// KeyByIP returns a CallerFunc that identifies callers by their address. p determines the address
// of the client behind trusted proxies. An IPv6 address counts as its /64, the smallest network
// that a provider assigns to a customer. Requests without an address share one identity.
func KeyByIP(p *tenanthttp.Proxies) CallerFunc {
	return func(r *http.Request) string {
		addr := p.ClientIP(r)
		if addr.Is6() {
			addr = netip.PrefixFrom(addr, 64).Masked().Addr()
		}
		var buf [64]byte
		return string(addr.AppendTo(append(buf[:0], "ip:"...)))
	}
}

// First returns a CallerFunc that returns the first identity that is known, such as the user, else
// the API key, else the address.
func First(callers ...CallerFunc) CallerFunc {
	return func(r *http.Request) string {
		for _, caller := range callers {
			if name := caller(r); name != "" {
				return name
			}
		}
		return ""
	}
}
