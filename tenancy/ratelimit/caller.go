package ratelimit

import (
	"net/http"
	"net/netip"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// CallerFunc says who has sent a request, or "" where it cannot tell. What it looks at has to be
// proven, by a session or an API key that was checked: who can choose his name chooses a fresh
// bucket with it. It is called by many goroutines.
type CallerFunc func(r *http.Request) string

// By returns callers of one kind, such as "user" or "key". Those of different kinds do not meet: no
// user can have a name that is somebody's address.
func By(kind string, caller CallerFunc) CallerFunc {
	return func(r *http.Request) string {
		name := caller(r)
		if name == "" {
			return ""
		}
		return kind + ":" + name
	}
}

// ByIP returns callers by their address, as p knows it: all requests behind a trusted proxy are not
// one caller's. An IPv6 address counts as its /64, the least that a customer of a provider gets, an
// IPv4 address for itself. Requests without an address are one caller's.
func ByIP(p *tenanthttp.Proxies) CallerFunc {
	return func(r *http.Request) string {
		addr := p.ClientIP(r)
		if addr.Is6() {
			addr = netip.PrefixFrom(addr, 64).Masked().Addr()
		}
		var buf [64]byte
		return string(addr.AppendTo(append(buf[:0], "ip:"...)))
	}
}

// First returns the first of the callers that are known, such as the user, else the API key, else
// the address.
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
