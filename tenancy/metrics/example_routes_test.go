package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/oryne/pgtenant/tenancy/metrics"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Requests are counted by tenant. Requests without a tenant are counted by the reason of their
// refusal.
func ExampleMetrics_Routes() {
	m, err := metrics.New(metrics.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(m)
	site := tenanthttp.Handler(sites, m.Routes(tenanthttp.Routes{Tenant: http.NotFoundHandler()}))

	for _, url := range []string{"http://a.example.com/", "http://unknown.example.com/"} {
		site.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, url, nil))
	}
	show(reg, `pgtenant_http_requests_total{code="4xx"`, `pgtenant_refused_requests_total{reason="unknown_host"}`)

	// Output:
	// pgtenant_http_requests_total{code="4xx",tenant="none"} 1
	// pgtenant_http_requests_total{code="4xx",tenant="other"} 0
	// pgtenant_http_requests_total{code="4xx",tenant="tenant_a"} 1
	// pgtenant_refused_requests_total{reason="unknown_host"} 1
}
