package tenanthttp_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// behind returns Proxies that trust 10.0.0.0/8 and fd00::/8 for the given headers.
func behind(t testing.TB, headers tenanthttp.ForwardHeaders) *tenanthttp.Proxies {
	t.Helper()
	p, err := tenanthttp.NewProxies(tenanthttp.ProxyConfig{
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, Headers: headers,
	})
	require.NoError(t, err)
	return p
}

// from returns a request of the peer for real.example.com. headers are names, each followed by its
// value.
func from(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://real.example.com/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

const (
	proxy     = "10.0.0.1:4000"
	untrusted = "192.0.2.9:4000"
	xHost     = "X-Forwarded-Host"
	xFor      = "X-Forwarded-For"
	xProto    = "X-Forwarded-Proto"
	forward   = "Forwarded"
)

func TestHostBehindProxies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		headers tenanthttp.ForwardHeaders
		r       *http.Request
		want    string // empty: an error that wraps err
		err     error
	}{
		"no header": {tenanthttp.XForwarded, from(proxy), "real.example.com", nil},
		"one":       {tenanthttp.XForwarded, from(proxy, xHost, "a.example.com"), "a.example.com", nil},
		"with a port": {
			tenanthttp.XForwarded, from(proxy, xHost, "a.example.com:8443"), "a.example.com:8443", nil,
		},
		"list": {
			tenanthttp.XForwarded, from(proxy, xHost, "evil.example.com, a.example.com"), "a.example.com", nil,
		},
		"two lines": {
			tenanthttp.XForwarded, from(proxy, xHost, "evil.example.com", xHost, "a.example.com"), "a.example.com", nil,
		},
		"empty": {
			tenanthttp.XForwarded, from(proxy, xHost, "evil.example.com,"), "real.example.com", nil,
		},
		"IPv6 proxy": {
			tenanthttp.XForwarded, from("[fd00::1]:4000", xHost, "a.example.com"), "a.example.com", nil,
		},
		"IPv4 in IPv6": {
			tenanthttp.XForwarded, from("[::ffff:10.0.0.1]:4000", xHost, "a.example.com"), "a.example.com", nil,
		},
		"untrusted": {
			tenanthttp.XForwarded, from(untrusted, xHost, "a.example.com", forward, "host=b.example.com"), "real.example.com",
			nil,
		},
		"untrusted, malformed": {
			tenanthttp.Forwarded, from(untrusted, forward, `host="`), "real.example.com", nil,
		},
		"socket": {
			tenanthttp.XForwarded, from("@", xHost, "a.example.com"), "real.example.com", nil,
		},
		"the other header": {
			tenanthttp.XForwarded, from(proxy, forward, "host=a.example.com"), "real.example.com", nil,
		},
		"both, the same": {
			tenanthttp.XForwarded, from(proxy, xHost, "a.example.com", forward, "host=A.example.com"), "a.example.com", nil,
		},
		"both, another": {
			tenanthttp.XForwarded, from(proxy, xHost, "a.example.com", forward, "host=b.example.com"), "",
			tenancy.ErrAmbiguousTenant,
		},
		"both, one is none": {
			tenanthttp.XForwarded, from(proxy, xHost, "a.example.com", forward, `host="*"`), "", tenancy.ErrInvalidHost,
		},
		"the other malformed": {
			tenanthttp.XForwarded, from(proxy, xHost, "a.example.com", forward, "host"), "", tenancy.ErrInvalidHost,
		},
		"host passed on": {
			tenanthttp.XForwardedFor, from(proxy, xHost, "evil.example.com", forward, "host=b.example.com"), "real.example.com",
			nil,
		},
		"forwarded": {
			tenanthttp.Forwarded, from(proxy, forward, "for=192.0.2.1;host=a.example.com"), "a.example.com", nil,
		},
		"forwarded, quoted": {
			tenanthttp.Forwarded, from(proxy, forward, `Host="a.example.com:8443"`), "a.example.com:8443", nil,
		},
		"forwarded, list": {
			tenanthttp.Forwarded, from(proxy, forward, "host=evil.example.com, host=a.example.com"), "a.example.com", nil,
		},
		"forwarded, lines": {
			tenanthttp.Forwarded, from(proxy, forward, "host=evil.example.com", forward, "for=1.2.3.4;host=a.example.com"),
			"a.example.com", nil,
		},
		"forwarded, host of another hop": {
			tenanthttp.Forwarded, from(proxy, forward, "host=evil.example.com, for=192.0.2.1"), "real.example.com", nil,
		},
		"forwarded, the other header": {
			tenanthttp.Forwarded, from(proxy, xHost, "evil.example.com"), "real.example.com", nil,
		},
		"forwarded, both, another": {
			tenanthttp.Forwarded, from(proxy, xHost, "b.example.com", forward, "host=a.example.com"), "",
			tenancy.ErrAmbiguousTenant,
		},
		"forwarded, twice": {
			tenanthttp.Forwarded, from(proxy, forward, "host=a.example.com;host=b.example.com"), "", tenancy.ErrInvalidHost,
		},
		"forwarded, quote left open": {
			tenanthttp.Forwarded, from(proxy, forward, `x=", host=a.example.com`), "", tenancy.ErrInvalidHost,
		},
		"forwarded, quote that swallows": {
			tenanthttp.Forwarded, from(proxy, forward, `host=evil.example.com;x=", for="[2001:db8::1]";host=a.example.com`), "",
			tenancy.ErrInvalidHost,
		},
		"forwarded, open quote, own line": {
			tenanthttp.Forwarded, from(proxy, forward, `x="`, forward, "host=a.example.com"), "a.example.com", nil,
		},
		"forwarded, no pair": {
			tenanthttp.Forwarded, from(proxy, forward, "a.example.com"), "", tenancy.ErrInvalidHost,
		},
	} {
		got, err := behind(t, c.headers).Host(c.r)
		assert.Equal(t, c.want, got, "%s: %q, %v; want %q, %v", name, got, err, c.want, c.err)
		assert.ErrorIs(t, err, c.err, name)
	}
}

func TestClientIPBehindProxies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		headers tenanthttp.ForwardHeaders
		r       *http.Request
		want    string
	}{
		"direct":               {tenanthttp.XForwarded, from(untrusted, xFor, "203.0.113.1"), "192.0.2.9"},
		"direct, IPv4 in IPv6": {tenanthttp.XForwarded, from("[::ffff:192.0.2.9]:1"), "192.0.2.9"},
		"direct, zone":         {tenanthttp.XForwarded, from("[fe80::1%eth0]:1"), "fe80::1"},
		"one proxy":            {tenanthttp.XForwarded, from(proxy, xFor, "203.0.113.1"), "203.0.113.1"},
		"forged in front": {
			tenanthttp.XForwarded, from(proxy, xFor, "127.0.0.1, 10.9.9.9, 203.0.113.1"), "203.0.113.1",
		},
		"forged in another line": {tenanthttp.XForwarded, from(proxy, xFor, "127.0.0.1", xFor, "203.0.113.1"), "203.0.113.1"},
		"two proxies": {
			tenanthttp.XForwarded, from(proxy, xFor, "198.51.100.1, 203.0.113.1, 10.0.0.2"), "203.0.113.1",
		},
		"two lines": {
			tenanthttp.XForwarded, from(proxy, xFor, "198.51.100.1", xFor, "203.0.113.1", xFor, "10.0.0.2"), "203.0.113.1",
		},
		"only proxies": {tenanthttp.XForwarded, from(proxy, xFor, "10.0.0.3, 10.0.0.2"), "10.0.0.3"},
		"no header":    {tenanthttp.XForwarded, from(proxy), "10.0.0.1"},
		"unknown":      {tenanthttp.XForwarded, from(proxy, xFor, "203.0.113.1, unknown"), "10.0.0.1"},
		"empty":        {tenanthttp.XForwarded, from(proxy, xFor, "203.0.113.1,"), "10.0.0.1"},
		"ports":        {tenanthttp.XForwarded, from(proxy, xFor, "203.0.113.1:123, 10.0.0.2:99"), "203.0.113.1"},
		"IPv6": {
			tenanthttp.XForwarded, from(proxy, xFor, "2001:db8::1, fd00::2, [fd00::3], [fd00::4]:80"), "2001:db8::1",
		},
		"brackets left open": {tenanthttp.XForwarded, from(proxy, xFor, "203.0.113.1, [fd00::3"), "10.0.0.1"},
		"IPv4 in brackets":   {tenanthttp.XForwarded, from(proxy, xFor, "[203.0.113.1]"), "10.0.0.1"},
		"host is passed on":  {tenanthttp.XForwardedFor, from(proxy, xFor, "203.0.113.1"), "203.0.113.1"},
		"the other header":   {tenanthttp.XForwarded, from(proxy, forward, "for=203.0.113.1"), "10.0.0.1"},
		"forwarded": {
			tenanthttp.Forwarded,
			from(proxy, forward, `for=198.51.100.1, for="203.0.113.1:80";proto=http, For="[fd00::2]";by=10.0.0.1`),
			"203.0.113.1",
		},
		"forwarded, unquoted": {tenanthttp.Forwarded, from(proxy, forward, "for=[2001:db8::1]:80"), "2001:db8::1"},
		"forwarded, name":     {tenanthttp.Forwarded, from(proxy, forward, "for=203.0.113.1, for=_hidden"), "10.0.0.1"},
		"forwarded, none": {
			tenanthttp.Forwarded, from(proxy, forward, "for=203.0.113.1, host=a.example.com"), "10.0.0.1",
		},
		"forwarded, malformed": {tenanthttp.Forwarded, from(proxy, forward, `for=203.0.113.1, for="`), "10.0.0.1"},
		"forwarded, bad line":  {tenanthttp.Forwarded, from(proxy, forward, `for="`, forward, "for=10.0.0.2"), "10.0.0.2"},
	} {
		got := behind(t, c.headers).ClientIP(c.r)
		assert.True(t, got == netip.MustParseAddr(c.want), "%s: %v, want %s", name, got, c.want)
	}
	got := behind(t, tenanthttp.XForwarded).ClientIP(from("@", xFor, "203.0.113.1"))
	assert.False(t, got.IsValid(), "socket: %v", got)
}

func TestSchemeBehindProxies(t *testing.T) {
	t.Parallel()
	secure := func(r *http.Request) *http.Request { r.TLS = &tls.ConnectionState{}; return r }
	for name, c := range map[string]struct {
		headers tenanthttp.ForwardHeaders
		r       *http.Request
		want    string
	}{
		"direct":         {tenanthttp.XForwarded, from(untrusted, xProto, "https"), "http"},
		"direct, TLS":    {tenanthttp.XForwarded, secure(from(untrusted, xProto, "http")), "https"},
		"proxy":          {tenanthttp.XForwarded, from(proxy, xProto, "http, https"), "https"},
		"proxy with TLS": {tenanthttp.XForwardedFor, secure(from(proxy, xProto, "http")), "http"},
		"nonsense":       {tenanthttp.XForwarded, from(proxy, xProto, "gopher"), "http"},
		"forwarded": {
			tenanthttp.Forwarded, from(proxy, forward, "proto=http, proto=HTTPS", xProto, "http"), "https",
		},
		"forwarded, malformed": {tenanthttp.Forwarded, from(proxy, forward, "proto=https;proto=https"), "http"},
	} {
		assert.Equal(t, c.want, behind(t, c.headers).Scheme(c.r), name)
	}
}

func TestNoProxiesAreTrustedByDefault(t *testing.T) {
	t.Parallel()
	for _, none := range []*tenanthttp.Proxies{nil, {}} {
		r := from(proxy, xHost, "a.example.com", xFor, "203.0.113.1", xProto, "https")
		host, err := none.Host(r)
		assert.NoError(t, err)
		assert.Equal(t, "real.example.com", host)
		assert.Equal(t, "10.0.0.1", none.ClientIP(r).String())
		assert.Equal(t, "http", none.Scheme(r))
	}
}

func TestNewProxiesRefusesInvalidConfigs(t *testing.T) {
	t.Parallel()
	_, err := tenanthttp.NewProxies(tenanthttp.ProxyConfig{})
	assert.Error(t, err, "no prefix")
	ten := netip.MustParsePrefix("10.0.0.0/8")
	for name, cfg := range map[string]tenanthttp.ProxyConfig{
		"IPv4":         {Trusted: []netip.Prefix{ten, netip.MustParsePrefix("0.0.0.0/0")}},
		"IPv6":         {Trusted: []netip.Prefix{netip.MustParsePrefix("::/0")}},
		"zero":         {Trusted: []netip.Prefix{{}}},
		"IPv4 in IPv6": {Trusted: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}, // it would match nothing
		"headers":      {Trusted: []netip.Prefix{ten}, Headers: 3},
	} {
		var field *tenancy.FieldError
		_, err := tenanthttp.NewProxies(cfg)
		assert.ErrorAs(t, err, &field, name)
	}
}

// FuzzProxies checks that the line that the proxy adds decides, for any input of the client. If the
// proxy appends to the client's line, the client can make the request fail but cannot choose the
// host.
func FuzzProxies(f *testing.F) {
	f.Add(`for=1.2.3.4;host=evil.example.com`, "evil.example.com", "1.2.3.4")
	f.Add(`host=evil.example.com;x="`, "a,b,,", "[::1]:80,")
	f.Add(`x="\`, "", "unknown")
	f.Add("for=\"\\\"\";;,\t,", " , ", "10.0.0.1, 10.0.0.2")
	const own = `for="203.0.113.1";host=real.example.com;proto=https`
	f.Fuzz(func(t *testing.T, line, hosts, nodes string) {
		for _, r := range []*http.Request{from(proxy, forward, line, forward, own), from(proxy, forward, line+", "+own)} {
			p := behind(t, tenanthttp.Forwarded)
			r.Host = "inner.example.com"
			host, err := p.Host(r)
			clients := []string{"203.0.113.1"}
			if err != nil && len(r.Header[forward]) == 1 {
				assert.ErrorIs(t, err, tenancy.ErrInvalidHost, "%q: host %q", r.Header[forward], host)
			} else {
				assert.NoError(t, err, "%q", r.Header[forward])
				assert.Equal(t, "real.example.com", host, "%q", r.Header[forward])
			}
			if err != nil {
				clients = append(clients, "10.0.0.1")
			}
			assert.Contains(t, clients, p.ClientIP(r).String(), "%q", r.Header[forward])
		}
		r := from(proxy, xHost, hosts+", real.example.com", xFor, nodes+", 203.0.113.1")
		r.Host = "inner.example.com"
		host, err := behind(t, tenanthttp.XForwarded).Host(r)
		assert.Equal(t, "real.example.com", host, "%q: host %q, %v", hosts, host, err)
		assert.NoError(t, err, "%q", hosts)
		assert.Equal(t, "203.0.113.1", behind(t, tenanthttp.XForwarded).ClientIP(r).String(), "%q: client", nodes)
		r = from(proxy, xFor, nodes) // without a proxy's entry it still ends, with a valid address
		ip := behind(t, tenanthttp.XForwarded).ClientIP(r)
		if assert.True(t, ip.IsValid(), "%q: client %v", nodes, ip) &&
			assert.False(t, ip.Is4In6(), "%q: client %v", nodes, ip) &&
			assert.Empty(t, ip.Zone(), "%q: client %v", nodes, ip) {
			assert.False(t, strings.ContainsAny(ip.String(), "[]"), "%q: client %v", nodes, ip)
		}
	})
}
