package ratelimit_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

func TestCallersByAddress(t *testing.T) {
	t.Parallel()
	proxies, err := tenanthttp.NewProxies(
		tenanthttp.ProxyConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	)
	require.NoError(t, err)
	for _, c := range []struct {
		name, remote, forwarded, want string
		proxies                       *tenanthttp.Proxies
	}{
		{"IPv4", "203.0.113.9:4711", "", "ip:203.0.113.9", nil},
		{"IPv6 counts as its /64", "[2001:db8:1:2:3:4:5:6]:4711", "", "ip:2001:db8:1:2::", nil},
		{"another address of it", "[2001:db8:1:2:ffff::1]:4711", "", "ip:2001:db8:1:2::", nil},
		{"the next one", "[2001:db8:1:3::1]:4711", "", "ip:2001:db8:1:3::", nil},
		{"IPv4 written as IPv6", "[::ffff:203.0.113.9]:4711", "", "ip:203.0.113.9", nil},
		{"a header from an untrusted address", "203.0.113.9:4711", "198.51.100.1", "ip:203.0.113.9", proxies},
		{"a header from a proxy", "10.0.0.1:4711", "198.51.100.1", "ip:198.51.100.1", proxies},
		{"what the client put in front", "10.0.0.1:4711", "192.0.2.1, 198.51.100.1", "ip:198.51.100.1", proxies},
		{"no address", "@", "", "ip:", nil},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://a.example.com/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		assert.Equal(t, c.want, ratelimit.KeyByIP(c.proxies)(r), c.name)
	}
}

func TestFirstReturnsTheFirstKnownIdentity(t *testing.T) {
	t.Parallel()
	header := func(name string) ratelimit.CallerFunc {
		return func(r *http.Request) string { return r.Header.Get(name) }
	}
	caller := ratelimit.First(
		ratelimit.Key("user", header("Test-User")),
		ratelimit.Key("key", header("Test-Key")),
		ratelimit.KeyByIP(nil),
	)
	r := httptest.NewRequest(http.MethodGet, "http://a.example.com/", nil)
	r.RemoteAddr = "203.0.113.9:4711"
	assert.Equal(t, "ip:203.0.113.9", caller(r), "address")
	r.Header.Set("Test-Key", "203.0.113.9") // not taken for the address
	assert.Equal(t, "key:203.0.113.9", caller(r), "key")
	r.Header.Set("Test-User", "ann")
	assert.Equal(t, "user:ann", caller(r), "user")
	assert.Empty(t, ratelimit.First()(r), "nobody")
}
