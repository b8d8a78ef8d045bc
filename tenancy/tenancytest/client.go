package tenancytest

import (
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
)

// URL returns the URL of path on the tenant's host.
func (t *Tenant) URL(path string) string { return "http://" + t.Host + path }

// Client returns a client for the program under test. The program runs [Environment].Handler in a
// real HTTP server until the test ends. Connections for any host go to that server, so that the
// tenant's host needs no DNS and the program also receives requests for other hosts. The client
// keeps cookies by host, as a browser does.
func (t *Tenant) Client() *http.Client {
	t.tb.Helper()
	if t.env.Handler == nil {
		t.tb.Fatal("tenancytest: Environment.Handler is nil")
	}
	server := httptest.NewServer(t.env.Handler)
	t.tb.Cleanup(func() {
		server.CloseClientConnections() // Close would wait for responses that the test has not read completely
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
