package tenancytest

import (
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
)

// URL returns the address of path on the tenant's host.
func (t *Tenant) URL(path string) string { return "http://" + t.Host + path }

// Client returns a client for the program under test, a real HTTP server with [Environment].Handler
// that runs until the test ends. Whatever host a URL names, the connection goes there, so that
// requests to the tenant's host need no DNS, and those to other hosts are seen by the program as
// well. It keeps cookies by host, as a browser does.
func (t *Tenant) Client() *http.Client {
	t.tb.Helper()
	if t.env.Handler == nil {
		t.tb.Fatal("tenancytest: Environment.Handler is nil")
	}
	server := httptest.NewServer(t.env.Handler)
	t.tb.Cleanup(func() {
		server.CloseClientConnections() // Close would wait for answers that the test has not read to their end
		server.Close()
	})
	address := server.Listener.Addr().String()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	t.tb.Cleanup(transport.CloseIdleConnections)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.tb.Fatalf("tenancytest: %v", err)
	}
	return &http.Client{Transport: transport, Jar: jar}
}
