package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// hosts is a resolver with three tenants, whose schemas it makes up.
type hosts map[string]tenanthttp.Target

func (h hosts) Resolve(_ context.Context, host string) (tenanthttp.Target, error) {
	if _, err := tenancy.NormalizeHost(host); err != nil {
		return tenanthttp.Target{}, err
	}
	switch t, ok := h[host]; {
	case host == "broken.example.com":
		return t, errors.New("the database is away")
	case !ok:
		return t, tenancy.ErrUnknownHost
	default:
		return t, nil
	}
}

func site(schema string, status tenancy.Status) tenanthttp.Target {
	return tenanthttp.TenantTarget(
		&tenancy.Tenant{Schema: schema, Slug: strings.ReplaceAll(schema, "_", "-"), Status: status},
	)
}

var sites = hosts{
	"example.com":       tenanthttp.PublicTarget(),
	"a.example.com":     site("tenant_a", tenancy.Active),
	"b.example.com":     site("tenant_b", tenancy.Suspended),
	"c.example.com":     site("tenant_c", tenancy.Maintenance),
	"d.example.com":     site("tenant_d", tenancy.Dropping),
	"e.example.com":     site("tenant_e", tenancy.Provisioning),
	"weird.example.com": site("we\"ird\n\xff\\", tenancy.Active),
	"other.example.com": site("other", tenancy.Active),
}

func register(t testing.TB, m *metrics.Metrics) *prometheus.Registry {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(m))
	return reg
}

// wrapped is a response that a middleware has wrapped.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func get(h http.Handler, host, path string) int {
	rec, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	h.ServeHTTP(rec, r)
	return rec.Code
}

func TestRequestsOfTenantsAndRefusals(t *testing.T) {
	t.Parallel()
	m := newMetrics(t, metrics.Config{})
	reg := register(t, m)
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc(
		"/moved",
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusSeeOther) },
	)
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("lost") })
	mux.HandleFunc("/session", func(w http.ResponseWriter, r *http.Request) {
		tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: tenanthttp.ErrNoSession})
	})
	mux.HandleFunc("/inside", func(w http.ResponseWriter, r *http.Request) { // a middleware that wraps the response
		tenanthttp.Refuse(wrapped{w}, r, tenanthttp.Refusal{Err: &tenancy.InactiveError{Status: tenancy.Maintenance}})
	})
	h := tenanthttp.Handler(sites, m.Routes(tenanthttp.Routes{Public: mux, Tenant: mux}))

	for _, path := range []string{"/ok", "/ok", "/empty", "/moved", "/bad", "/none", "/session", "/inside"} {
		get(h, "a.example.com", path)
	}
	func() {
		defer func() {
			assert.True(t, recover() != nil, "the panic was swallowed")
		}()
		get(h, "a.example.com", "/panic")
	}()
	get(h, "example.com", "/ok")
	for host, want := range map[string]int{
		"b.example.com": 403, "c.example.com": 503, "d.example.com": 404, "e.example.com": 503,
		"x.example.com": 404, "in valid": 400, "broken.example.com": 503,
	} {
		got := get(h, host, "/ok")
		assert.Equal(t, want, got, "%s is answered with %d", host, got)
	}
	requests := func(tenant, code string) string {
		return fmt.Sprintf("pgtenant_http_requests_total{code=%q,tenant=%q}", code, tenant)
	}
	want := map[string]float64{
		requests("tenant_a", "2xx"):                                       3,
		requests("tenant_a", "3xx"):                                       1,
		requests("tenant_a", "4xx"):                                       2,
		requests("tenant_a", "5xx"):                                       2,
		requests("tenant_a", "1xx"):                                       absent,
		requests("public", "2xx"):                                         1,
		requests("tenant_b", "4xx"):                                       1,
		requests("tenant_c", "maintenance"):                               1,
		requests("tenant_c", "5xx"):                                       absent,
		requests("tenant_a", "maintenance"):                               1,
		requests("none", "4xx"):                                           2,
		requests("none", "5xx"):                                           1,
		`pgtenant_http_request_duration_seconds_count{tenant="tenant_a"}`: 9,
		`pgtenant_http_request_duration_seconds_count{tenant="other"}`:    0,
	}
	for _, reason := range []string{
		"unknown_host", "invalid_host", "suspended", "maintenance", "not_ready", "gone", "no_session", "unavailable",
	} {
		want[fmt.Sprintf("pgtenant_refused_requests_total{reason=%q}", reason)] = 1
	}
	want[`pgtenant_refused_requests_total{reason="maintenance"}`] = 2
	want[`pgtenant_refused_requests_total{reason="foreign_tenant"}`] = 0
	expect(t, scrape(t, reg), want)
}

// A resolver or a context of the program can contain a name that the registry would refuse.
func TestInvalidLabelValuesCountAsOther(t *testing.T) {
	t.Parallel()
	m := newMetrics(t, metrics.Config{})
	reg := register(t, m)
	h := tenanthttp.Handler(sites, m.Routes(tenanthttp.Routes{Tenant: http.NotFoundHandler()}))
	get(h, "weird.example.com", "/")
	get(h, "other.example.com", "/")
	for _, name := range []string{"we\"ird\n\xff\\", "we\"ird\n\xfe\\", "other", "none", "a{b=\"c\"}"} {
		m.LoginFailed(schemactx.NewContext(t.Context(), name))
		m.Hooks(schemactx.Hooks{}).
			StatementFailure(t.Context(), schemactx.StatementFailure{Schema: name, Err: errors.New("x")})
	}
	m.Lifecycle(tenancy.Hooks{}).After(t.Context(), tenancy.StepData{Op: "new\xff\nop", Step: "st\"ep"})
	require.NoError(
		t,
		m.Watch(
			metrics.Sources{
				Tenants: madeUp{"tenant_a", "we\"ird\n\xff"},
				Backups: backupsOf([]string{"tenant_a", "we\"ird\n\xff"}),
			},
		),
	)
	require.NoError(t, m.Refresh(t.Context()))
	expect(t, scrape(t, reg), map[string]float64{
		`pgtenant_login_failures_total{tenant="other"}`:                  5,
		`pgtenant_http_requests_total{code="4xx",tenant="other"}`:        2,
		`pgtenant_statement_errors_total{class="client",tenant="other"}`: 5,
		`pgtenant_backup_timestamp_seconds{tenant="tenant_a"}`:           1_000_000,
	})
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	assert.Equal(t, http.StatusOK, rec.Code, "a scrape is answered with %d %s", rec.Code, rec.Body)
	lint(t, rec.Body.String())
}

// The recorded response has the same capabilities as the original one, on a real connection.
func TestResponsesKeepTheirInterfaces(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		m, abilities := newMetrics(t, metrics.Config{}), make(chan [2]string, 1)
		list := func(w http.ResponseWriter) string {
			_, flusher := w.(http.Flusher)
			_, hijacker := w.(http.Hijacker)
			_, pusher := w.(http.Pusher)
			_, reader := w.(io.ReaderFrom)
			return fmt.Sprint(flusher, hijacker, pusher, reader)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			plain := list(w)
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				abilities <- [2]string{plain, list(w)}
				assert.NoError(t, http.NewResponseController(w).Flush())
			})).ServeHTTP(w, r)
		}))
		server.EnableHTTP2 = http2
		server.StartTLS()
		resp, err := server.Client().Get(server.URL)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		server.Close()
		got := <-abilities
		assert.Equal(t, got[0], got[1], "HTTP/%d", resp.ProtoMajor)
		assert.Equal(t, http2, resp.ProtoMajor == 2)
	}
}
