package tenanthttp_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// The attacks on the host of a request use a real server and raw bytes, because net/http processes
// a request before the Handler sees it.

// attackHosts returns three tenants and the public site.
func attackHosts() byHost {
	return byHost{
		"a.example.com": tenanthttp.TenantTarget(active(1, "a")), "b.example.com": tenanthttp.TenantTarget(active(2, "b")),
		"xn--bcher-kva.example": tenanthttp.TenantTarget(active(3, "buch")), "example.com": tenanthttp.PublicTarget(),
	}
}

// serve serves the sites on a port of 127.0.0.1, over HTTP/1 and HTTP/2 without TLS.
func serve(t *testing.T, proxies *tenanthttp.Proxies) (addr string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{
		Handler: tenanthttp.Handler(
			attackHosts(),
			tenanthttp.Routes{Public: say("public"), Tenant: say("tenant"), Proxies: proxies},
		),
		Protocols: &http.Protocols{},
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		assert.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return listener.Addr().String()
}

// write sends raw bytes and returns the status of the response, and its body if the status is 200.
func write(t *testing.T, addr, request string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	if res.StatusCode != http.StatusOK {
		return fmt.Sprint(res.StatusCode)
	}
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

const (
	servedA      = "200 tenant tenant_a a"
	servedPublic = "200 public public "
)

// Attacks 37, 38, 39 and 41.
func TestHostsOnTheWire(t *testing.T) {
	t.Parallel()
	addr := serve(t, nil)
	for host, want := range map[string]string{
		"a.example.com": servedA, "A.EXAMPLE.COM": servedA, "a.example.com:8000": servedA, "a.example.com.": servedA,
		"a.example.com.:8000": servedA, "a.example.com:": servedA, "example.com": servedPublic,
		"xn--bcher-kva.example": "200 tenant tenant_buch buch", "XN--BCHER-KVA.example": "200 tenant tenant_buch buch",
		"bücher.example": "400", // not a valid Host: net/http accepts only ASCII
		"":               "400", "..": "400", "a..example.com": "400", "*": "400", "*.example.com": "400",
		"[::1]": "404", "[::1": "400", "[fe80::1%25lo]": "400", "127.0.0.1": "404", "2130706433": "400", "0x7f.1": "400",
		"user@a.example.com": "400", "a.example.com@b.example.com": "400", "a.example.com/": "400", "a.example.com#": "400",
		"a.example.com, b.example.com": "400", "a.example.com b.example.com": "400", "a.example.com\tb": "400",
		"a.example.com\x00": "400", "a.example.com\x7f": "400", "a.example.com\xff": "400", "a.example.com\x0b": "400",
		"a.example.com:0": "400", "a.example.com:99999": "400", "a.example.com:80:80": "400", "a.example.com:x": "400",
		"www.a.example.com": "404", "www.example.com": "404", "com": "404", "localhost": "404",
		"a.example.com.evil.test": "404", "evila.example.com": "404", "aexample.com": "404",
		strings.Repeat("a", 64) + ".example.com": "400", strings.Repeat("a.", 127) + "example.com": "400",
	} {
		assert.Equal(t, want, write(t, addr, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"), "%q", host)
	}
}

// Attack 40, over HTTP/1.
func TestRequestsThatNameTwoHosts(t *testing.T) {
	t.Parallel()
	addr := serve(t, nil)
	for request, want := range map[string]string{
		// The request target takes precedence, as RFC 9112 (3.2.2) requires. The Handler and the handlers
		// behind it see only that host.
		"GET http://a.example.com/ HTTP/1.1\r\nHost: b.example.com":      servedA,
		"GET http://a.example.com/ HTTP/1.1\r\nHost: nosuch.example.com": servedA,
		"GET http://nosuch.example.com/ HTTP/1.1\r\nHost: a.example.com": "404",
		"GET http://b.example.com@a.example.com/ HTTP/1.1\r\nHost: b":    servedA, // the part before the @ is a user name
		// a target without a host names no host
		"GET http:///x HTTP/1.1\r\nHost: a.example.com":          servedA,
		"GET //b.example.com/ HTTP/1.1\r\nHost: a.example.com":   servedA, // a path
		"GET http:b.example.com HTTP/1.1\r\nHost: a.example.com": servedA, // no authority
		// Two Host headers, none, and one that a line fold or a space hides.
		"GET / HTTP/1.1\r\nHost: a.example.com\r\nHost: b.example.com":        "400",
		"GET / HTTP/1.1\r\nHost: a.example.com\r\nHost: a.example.com":        "400",
		"GET / HTTP/1.1\r\nAccept: */*":                                       "400",
		"GET / HTTP/1.0\r\nAccept: */*":                                       "400",
		"GET / HTTP/1.1\r\nHost : b.example.com\r\nHost: a.example.com":       "400",
		"GET / HTTP/1.1\r\nHost: a.example.com\r\n Host: b.example.com":       "400",
		"GET / HTTP/1.0\r\nHost: a.example.com":                               servedA,
		"OPTIONS / HTTP/1.1\r\nHost: a.example.com":                           servedA,
		"OPTIONS / HTTP/1.1\r\nHost: nosuch.example.com":                      "404",
		"CONNECT a.example.com:443 HTTP/1.1\r\nHost: b.example.com":           servedA,
		"GET / HTTP/1.1\r\nHost: nosuch.example.com\r\nX-Host: a.example.com": "404",
		"GET / HTTP/1.1\r\nHost: nosuch.example.com\r\nX-Forwarded-Host: a.example.com\r\n" +
			"Forwarded: host=a.example.com": "404",
		"GET / HTTP/1.1\r\nHost: a.example.com\r\nX-Forwarded-Host: b.example.com\r\n" +
			"Forwarded: host=b.example.com": servedA,
		"GET / HTTP/1.1\r\nHost: a.example.com\r\nX-Original-Host: b.example.com\r\n" +
			"X-HTTP-Host-Override: b.example.com": servedA,
	} {
		assert.Equal(t, want, write(t, addr, request+"\r\nConnection: close\r\n\r\n"), "%q", request)
	}
}

// Attack 40 through a trusted proxy and through an untrusted one.
func TestForwardedHostsOnTheWire(t *testing.T) {
	t.Parallel()
	trusting := func(prefix string) *tenanthttp.Proxies {
		p, err := tenanthttp.NewProxies(tenanthttp.ProxyConfig{Trusted: []netip.Prefix{netip.MustParsePrefix(prefix)}})
		require.NoError(t, err)
		return p
	}
	near, far := serve(t, trusting("127.0.0.0/8")), serve(t, trusting("10.0.0.0/8"))
	for headers, want := range map[string][2]string{ // by a trusted proxy, by another peer
		"":                                    {"404", "404"},
		"\r\nX-Forwarded-Host: a.example.com": {servedA, "404"},
		"\r\nX-Forwarded-Host: b.example.com, a.example.com":                   {servedA, "404"},
		"\r\nX-Forwarded-Host: b.example.com\r\nX-Forwarded-Host: example.com": {servedPublic, "404"},
		"\r\nX-Forwarded-Host: a.example.com\r\nForwarded: host=b.example.com": {"400", "404"},
		"\r\nX-Forwarded-Host: a.example.com\r\nForwarded: host=\"b":           {"400", "404"},
		"\r\nX-Forwarded-Host: user@a.example.com":                             {"400", "404"},
		"\r\nX-Forwarded-Host: *":                                              {"400", "404"},
		"\r\nForwarded: host=a.example.com":                                    {"404", "404"}, // not the proxy's header
	} {
		request := "GET / HTTP/1.1\r\nHost: backend.internal" + headers + "\r\nConnection: close\r\n\r\n"
		for i, addr := range []string{near, far} {
			got := write(t, addr, request)
			assert.Equal(t, want[i], got, "%q", headers)
		}
	}
}

// A handler behind a proxy sees the effective host, and the caller's request is not changed.
func TestTheServedRequestHasTheEffectiveHost(t *testing.T) {
	t.Parallel()
	var seen string
	h := tenanthttp.Handler(
		attackHosts(),
		tenanthttp.Routes{Proxies: behind(t, tenanthttp.XForwarded), Tenant: http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) { seen = r.Host })},
	)
	r := from(proxy, xHost, "a.example.com")
	h.ServeHTTP(nil, r)
	assert.Equal(t, "a.example.com", seen, "host of the request that the handler gets")
	assert.Equal(t, "real.example.com", r.Host, "host of the caller's request")
}

// Attack 40, over HTTP/2: the authority is a pseudo-header, and a Host header may be sent too.
func TestHTTP2Authorities(t *testing.T) {
	t.Parallel()
	addr := serve(t, nil)
	for name, c := range map[string]struct {
		authority, host string
		want            string
	}{
		"authority":                   {"a.example.com", "", servedA},
		"unknown authority":           {"nosuch.example.com", "", "404"},
		"host alone":                  {"", "a.example.com", servedA},
		"both, the same":              {"a.example.com", "a.example.com", servedA},
		"both, another":               {"a.example.com", "b.example.com", servedA}, // the authority takes precedence
		"both, the authority unknown": {"nosuch.example.com", "a.example.com", "404"},
		"userinfo":                    {"b.example.com@a.example.com", "", "PROTOCOL_ERROR"},
		"not a host":                  {"a.example.com/b", "", "400"},
		"capitals and a port":         {"A.example.com:443", "", servedA},
	} {
		assert.Equal(t, c.want, writeHTTP2(t, addr, c.authority, c.host), name)
	}
}

// writeHTTP2 sends one request as frames, and returns the response as write does.
func writeHTTP2(t *testing.T, addr, authority, host string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	stop := context.AfterFunc(t.Context(), func() { _ = conn.Close() })
	defer stop()
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(t, framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "GET"},
		{":scheme", "http"},
		{":authority", authority},
		{":path", "/"},
		{"host", host},
		{"x-forwarded-host", "b.example.com"},
	} {
		if field[1] != "" {
			require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}))
		}
	}
	require.NoError(
		t,
		framer.WriteHeaders(
			http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true},
		),
	)
	return readHTTP2(t, framer)
}

func readHTTP2(t *testing.T, framer *http2.Framer) string {
	t.Helper()
	status, body := "", ""
	for {
		frame, err := framer.ReadFrame()
		require.NoError(t, err)
		ended := false
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			status, ended = frame.PseudoValue("status"), frame.StreamEnded()
		case *http2.DataFrame:
			body, ended = body+string(frame.Data()), frame.StreamEnded()
		case *http2.RSTStreamFrame:
			return frame.ErrCode.String()
		}
		if ended && status != "200" {
			return status
		}
		if ended {
			return status + " " + body
		}
	}
}
