package audit_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// serve sends a request of tenant 1 through the middleware and returns the response.
func serve(
	l *audit.Log,
	cfg audit.MiddlewareConfig,
	next http.HandlerFunc,
	r *http.Request,
) *httptest.ResponseRecorder {
	r = r.WithContext(tenancy.NewContext(r.Context(), &tenancy.Tenant{ID: 1, Slug: "a", Schema: "tenant_1"}))
	w := httptest.NewRecorder()
	l.Middleware(next, cfg).ServeHTTP(w, r)
	return w
}

func request(method, target string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "192.0.2.1:1234"
	return r
}

func answer(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// requests returns the entries of the middleware.
func (f *fixture) requests(t testing.TB, l *audit.Log) []audit.Record {
	t.Helper()
	require.NoError(t, l.Flush(t.Context()))
	return f.list(t, audit.Filter{Actions: []audit.Action{audit.SchemaAccess}})
}

func TestARequestIsLoggedWithItsOutcome(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	r := request(http.MethodPost, "http://a.example.com/students/42?token=secret")
	r.Header.Set("X-Request-Id", "req:1")
	r.Header.Set("Authorization", "Bearer secret")
	serve(l, audit.MiddlewareConfig{}, func(w http.ResponseWriter, r *http.Request) {
		c, ok := audit.FromContext(r.Context())
		if assert.True(t, ok, "the handler sees %+v", c) &&
			assert.Equal(t, "req:1", c.RequestID, "the handler sees %+v", c) {
			assert.True(t, c.IP == netip.MustParseAddr("192.0.2.1"), "the handler sees %+v", c)
		}
		audit.SetActor(r.Context(), "ada")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
	}, r)
	got := f.requests(t, l)
	require.Len(t, got, 1, "%d records", len(got))
	e := got[0]
	if assert.Equal(t, int64(1), e.Tenant, e) &&
		assert.Equal(t, "a", e.Slug, e) &&
		assert.Equal(t, "tenant_1", e.Schema, e) &&
		assert.Equal(t, "ada", e.Actor, e) &&
		assert.Equal(t, "req:1", e.RequestID, e) {
		assert.Equal(t, "192.0.2.1", e.IP.String(), e)
	}
	assert.Equal(t, "POST", e.Details["method"], e.Details)
	assert.Equal(t, "/students/42", e.Details["path"], e.Details)
	assert.Equal(t, "a.example.com", e.Details["host"], e.Details)
	assert.Equal(t, json.Number("418"), e.Details["status"], e.Details)
	var text strings.Builder
	_, err := f.reader.Export(t.Context(), &text, audit.Filter{}, audit.JSONLines)
	require.NoError(t, err)
	assert.NotContains(t, text.String(), "secret", "the query or a header is in the log")
	f.verify(t)
}

func TestPoliciesSelectRequests(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ok, bad := http.StatusOK, http.StatusBadRequest
	for name, c := range map[string]struct {
		policy audit.Policy
		want   int // of: 4 GETs with 200, 2 POSTs with 200, 1 GET with 400
	}{
		"all":                {audit.All, 7},
		"none given":         {nil, 7},
		"writes":             {audit.Writes, 2},
		"failures":           {audit.Failures, 1},
		"one of three":       {audit.Sample(3), 3},
		"one of one":         {audit.Sample(1), 7},
		"writes or failures": {audit.Any(audit.Writes, audit.Failures), 3},
		"failed writes":      {audit.Every(audit.Writes, audit.Failures), 0},
		"slow":               {audit.Slow(time.Hour), 0},
		"not slow":           {audit.Slow(0), 7},
		"any of none":        {audit.Any(), 0},
	} {
		l := f.open(t, audit.Config{})
		for _, x := range []struct {
			method string
			status int
		}{{"GET", ok}, {"GET", ok}, {"GET", ok}, {"GET", ok}, {"POST", ok}, {"POST", ok}, {"GET", bad}} {
			serve(
				l,
				audit.MiddlewareConfig{Policy: c.policy},
				answer(x.status),
				request(x.method, "http://a.example.com/"+strings.ReplaceAll(name, " ", "-")),
			)
		}
		got := int(l.Status().Recorded)
		assert.Equal(t, c.want, got, "%s: %d were logged, want %d", name, got, c.want)
	}
}

func TestAPanicIsLoggedAsAFailure(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	func() {
		defer func() {
			assert.Equal(t, "boom", recover(), "the panic was swallowed")
		}()
		serve(
			l,
			audit.MiddlewareConfig{Policy: audit.Failures},
			func(http.ResponseWriter, *http.Request) { panic("boom") },
			request("GET", "http://a.example.com/"),
		)
	}()
	got := f.requests(t, l)
	if assert.Len(t, got, 1) {
		assert.Equal(t, json.Number("500"), got[0].Details["status"])
	}
}

// A client can send any X-Forwarded-For; only that of a trusted proxy counts.
func TestAnAddressIsTakenFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	proxies, err := tenanthttp.NewProxies(
		tenanthttp.ProxyConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	)
	require.NoError(t, err)
	for _, c := range []struct {
		remote, forwarded, want string
		proxies                 *tenanthttp.Proxies
	}{
		{"192.0.2.1:1", "203.0.113.9", "192.0.2.1", nil},
		{"192.0.2.1:1", "203.0.113.9", "192.0.2.1", proxies},
		{"10.0.0.1:1", "203.0.113.9", "10.0.0.1", nil},
		{"10.0.0.1:1", "203.0.113.9", "203.0.113.9", proxies},
		{"10.0.0.1:1", "127.0.0.1, 203.0.113.9", "203.0.113.9", proxies}, // the first address is the client's
		{"10.0.0.1:1", "'; drop table audit_log; --", "10.0.0.1", proxies},
		{"[::ffff:192.0.2.7]:1", "", "192.0.2.7", nil},
		{"[fe80::1%eth0]:1", "", "fe80::1", nil},
		{"@", "", "", nil}, // a Unix socket
	} {
		r := request("GET", "http://a.example.com/")
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		serve(
			l,
			audit.MiddlewareConfig{Proxies: c.proxies, RequestID: func(*http.Request) string { return "x" }},
			answer(http.StatusOK),
			r,
		)
		require.NoError(t, l.Flush(t.Context()))
		page, err := f.reader.List(t.Context(), audit.Filter{Tenants: []int64{1}, Order: audit.Newest, Limit: 1})
		require.NoError(t, err)
		want, _ := netip.ParseAddr(c.want)
		got := page.Records[0].IP
		assert.True(t, got == want, "from %s for %q: %v, want %v", c.remote, c.forwarded, got, want)
	}
	f.verify(t)
}

func TestAValidRequestIDIsKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	for _, c := range []struct {
		header []string
		taken  bool
	}{
		{[]string{"abc-1._:"}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{"a", "b"}, false},
		{[]string{"a b"}, false},
		{[]string{"a\nlevel=error"}, false},
		{[]string{strings.Repeat("a", 129)}, false},
	} {
		r := request("GET", "http://a.example.com/")
		r.Header["X-Request-Id"] = c.header
		var id string
		serve(l, audit.MiddlewareConfig{}, func(_ http.ResponseWriter, r *http.Request) {
			caller, _ := audit.FromContext(r.Context())
			id = caller.RequestID
		}, r)
		taken := len(c.header) == 1 && id == c.header[0]
		assert.Equal(t, c.taken, taken, "%q became %q", c.header, id)
		assert.GreaterOrEqual(t, len(id), 8, "%q became %q", c.header, id)
	}
}

// The id of the log and the id of RequestIDHandler, which is in the program's other logs, are the
// same, whatever the client sends.
func TestTheRequestIDIsThatOfTheHandlerInFront(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	var want, got string
	h := l.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		caller, _ := audit.FromContext(r.Context())
		want, got = tenanthttp.RequestID(r.Context()), caller.RequestID
	}), audit.MiddlewareConfig{})
	r := request("GET", "http://a.example.com/")
	r.Header.Set("X-Request-Id", "of-the-client")
	tenanthttp.RequestIDHandler(h, tenanthttp.RequestIDConfig{}).ServeHTTP(httptest.NewRecorder(), r)
	assert.NotEqual(t, "of-the-client", want)
	assert.NotEmpty(t, want)
	assert.Equal(t, want, got)
}

func TestARequiredRequestThatCannotBeLoggedIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "alter table public.audit_log rename to audit_log_away") // every write fails
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 2, Overflow: audit.Drop, Linger: time.Millisecond})
	require.NoError(t, err)
	served := 0
	count := func(http.ResponseWriter, *http.Request) { served++ }
	cfg := audit.MiddlewareConfig{Required: audit.Writes}
	for range 2 {
		w := serve(l, cfg, count, request("POST", "http://a.example.com/"))
		assert.Equal(t, http.StatusOK, w.Code, "got %d while there is room", w.Code)
	}
	w := serve(l, cfg, count, request("POST", "http://a.example.com/"))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code, "got %d %s, served %d", w.Code, w.Body, served)
	assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"),
		"got %d %s, served %d", w.Code, w.Body, served)
	assert.NotEmpty(t, w.Header().Get("Retry-After"), "got %d %s, served %d", w.Code, w.Body, served)
	assert.Equal(t, 2, served, w.Body)
	w = serve(l, cfg, count, request("GET", "http://a.example.com/"))
	assert.Equal(t, http.StatusOK, w.Code, "entries that need not be logged")
	assert.Equal(t, 3, served, "entries that need not be logged")
	s := l.Status()
	assert.Equal(t, int64(1), s.Refused, "status %+v", s)
	assert.Equal(t, int64(1), s.Dropped, "status %+v", s)
	assert.Equal(t, int64(2), s.Recorded, "status %+v", s)

	f.exec(t, "alter table public.audit_log_away rename to audit_log")
	require.NoError(t, l.Flush(t.Context()))
	w = serve(l, cfg, count, request("POST", "http://a.example.com/"))
	assert.Equal(t, http.StatusOK, w.Code, "got %d when there is room again", w.Code)
	assert.Len(t, f.requests(t, l), 3, "were logged")
	lost := f.list(t, audit.Filter{Actions: []audit.Action{audit.LogLost}})
	if assert.Len(t, lost, 1, "losses that the log reports") {
		assert.Equal(t, json.Number("1"), lost[0].Details["entries"], "losses that the log reports")
	}
	closeLog(t, l)
	w = serve(l, cfg, count, request("POST", "http://a.example.com/"))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code, "got %d when the log is closed", w.Code)
	f.verify(t)
}

// A required request has a slot in the queue while it is served. The slot is released even after a
// panic.
func TestRequestsBeingServedHaveAReservedPlace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 1})
	require.NoError(t, err)
	cfg := audit.MiddlewareConfig{Required: audit.All}
	in, out, done := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		serve(l, cfg, func(http.ResponseWriter, *http.Request) {
			in <- true
			<-out
			panic("boom")
		}, request("GET", "http://a.example.com/"))
	}()
	<-in
	w := serve(l, cfg, answer(http.StatusOK), request("GET", "http://a.example.com/"))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, l.Record(short, audit.Entry{Action: audit.Login}), audit.ErrFull)
	closed := make(chan error)
	go func() { closed <- l.Close(context.Background()) }() // waits for the request
	eventually(t, "the log to close", func() bool {
		return errors.Is(l.Record(t.Context(), audit.Entry{Action: audit.Login}), audit.ErrClosed)
	})
	close(out)
	<-done
	require.NoError(t, <-closed)
	assert.Equal(t, 1, f.count(t, "action = 'schema_access'"), "requests are logged")
	f.verify(t)
}

// The capabilities of the server's ResponseWriter work behind the middleware.
func TestTheWrappedResponseWriterIsReached(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	server := httptest.NewServer(l.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/flush":
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			assert.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)))
		case "/hijack":
			conn, rw, err := w.(http.Hijacker).Hijack()
			assert.NoError(t, err)
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_ = rw.Flush()
			_ = conn.Close()
		case "/copy":
			n, err := io.Copy(w, strings.NewReader("copied"))
			assert.Equal(t, int64(6), n, "copied %d, %v", n, err)
			assert.NoError(t, err, "copied %d", n)
		}
	}), audit.MiddlewareConfig{}))
	defer server.Close()
	for path, want := range map[string]string{"/flush": "a", "/copy": "copied", "/empty": ""} {
		res, err := server.Client().Get(server.URL + path)
		require.NoError(t, err)
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		assert.Equal(t, want, string(body), path)
	}
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	_, _ = io.WriteString(conn, "GET /hijack HTTP/1.1\r\nHost: a\r\n\r\n")
	line, _ := bufio.NewReader(conn).ReadString('\n')
	_ = conn.Close()
	assert.Contains(t, line, "101", "hijacked")
	eventually(t, "all entries", func() bool { return l.Status().Recorded == 4 })
	for _, e := range f.requests(t, l) {
		want := json.Number("200")
		if e.Details["path"] == "/hijack" {
			want = "101"
		}
		assert.Equal(t, want, e.Details["status"], e.Details)
	}
	_, _, err = http.NewResponseController(httptest.NewRecorder()).Hijack()
	assert.ErrorIs(t, err, http.ErrNotSupported)
}

// A request allocates at most three times. The writer's allocations are not counted.
func TestARequestCostsThreeAllocationsAtMost(t *testing.T) {
	f := setup(t)
	l := f.open(t, audit.Config{QueueSize: 100_000, BatchSize: 100_000, Linger: time.Hour}) // the writer does not run
	h := l.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), audit.MiddlewareConfig{})
	for id, most := range map[string]float64{"req-1": 2, "": 3} {
		r, w := benchRequest(id), nowhere{http.Header{}}
		// the slice of the queue grows
		got := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) })
		assert.LessOrEqual(t, got, most+0.5, "with the request id %q: %v allocations, want %v", id, got, most)
	}
}
