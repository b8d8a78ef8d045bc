package tenanthttp_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// The cost of the middleware is the difference between Handler and BareMux, which serve the same
// request with the same mux:
//
//	go test -run '^$' -bench 'BareMux|Handler' -benchmem ./tenancy/tenanthttp
//
// The resolver is a map, so that the benchmark does not include a directory.

// writer is a ResponseWriter that discards the response.
type writer struct{ header http.Header }

func (w writer) Header() http.Header         { return w.header }
func (w writer) Write(p []byte) (int, error) { return len(p), nil }
func (w writer) WriteHeader(int)             {}

func benchMux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(
		"GET /api/students/",
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) },
	)
	return mux
}

func bench(b *testing.B, h http.Handler, r *http.Request) {
	w := writer{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func benchRequest(host string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://"+host+"/api/students/", nil)
	r.RemoteAddr = proxy
	return r
}

func BenchmarkBareMux(b *testing.B) { bench(b, benchMux(), benchRequest("a.example.com")) }

func BenchmarkHandler(b *testing.B) {
	mux := benchMux()
	routes := tenanthttp.Routes{Public: mux, Tenant: mux}
	b.Run(
		"tenant",
		func(b *testing.B) { bench(b, tenanthttp.Handler(attackHosts(), routes), benchRequest("a.example.com")) },
	)
	b.Run(
		"public",
		func(b *testing.B) { bench(b, tenanthttp.Handler(attackHosts(), routes), benchRequest("example.com")) },
	)
	b.Run("unknown", func(b *testing.B) { bench(b, tenanthttp.Handler(attackHosts(), routes), benchRequest("b.example")) })
	routes.Proxies = behind(b, tenanthttp.XForwarded)
	b.Run("proxy", func(b *testing.B) {
		r := benchRequest("backend.internal")
		r.Header.Set(xHost, "a.example.com")
		bench(b, tenanthttp.Handler(attackHosts(), routes), r)
	})
}

func BenchmarkClientIP(b *testing.B) {
	p := behind(b, tenanthttp.XForwarded)
	r := from(proxy, xFor, "198.51.100.1, 203.0.113.1, 10.0.0.2")
	want := netip.MustParseAddr("203.0.113.1")
	b.ReportAllocs()
	for b.Loop() {
		if p.ClientIP(r) != want {
			b.Fatal("another client")
		}
	}
}

func BenchmarkFromContext(b *testing.B) {
	ctx, cancel := context.WithCancel(tenancy.NewContext(b.Context(), active(1, "a"))) // as if below another middleware
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := tenancy.FromContext(ctx); !ok {
			b.Fatal("no tenant")
		}
	}
}

func BenchmarkLogHandler(b *testing.B) {
	ctx := tenancy.NewContext(b.Context(), active(1, "a"))
	bare := slog.NewJSONHandler(io.Discard, nil)
	for name, l := range map[string]*slog.Logger{
		"bare": slog.New(bare), "handler": slog.New(tenanthttp.LogHandler(bare)),
		"bare in a group":    slog.New(bare).WithGroup("g").With("v", 1),
		"handler in a group": slog.New(tenanthttp.LogHandler(bare)).WithGroup("g").With("v", 1),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.InfoContext(ctx, "served", slog.Int("status", 200), slog.String("path", "/api/students/"))
			}
		})
	}
}
