package tenanthttp_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Every log record of a request has the attributes of its tenant.
func ExampleLogHandler() {
	p, done := schooltest.New()
	defer done()

	text := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime})
	logger := slog.New(tenanthttp.LogHandler(text))
	app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logger.WithGroup("request").InfoContext(r.Context(), "served", slog.String("path", r.URL.Path))
	})
	h := tenanthttp.Handler(p.Hosts, tenanthttp.Routes{Public: app, Tenant: app})

	for _, url := range []string{
		"http://schoola.example.com/students", "http://schoolb.example.com/", "http://example.com/prices",
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, url, nil))
	}

	// Output:
	// level=INFO msg=served tenant=schoola tenant_id=1 schema=tenant_1 request.path=/students
	// level=INFO msg=served tenant=schoolb tenant_id=2 schema=tenant_2 request.path=/
	// level=INFO msg=served site=public schema=public request.path=/prices
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
