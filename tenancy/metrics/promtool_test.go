package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

// lint fails the test for names and help texts that violate the conventions of Prometheus.
func lint(t *testing.T, text string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	assert.Empty(t, problems)
}

func TestPromtoolFindsNoProblemsInAScrape(t *testing.T) {
	t.Parallel()
	f := setup(t, metrics.Config{}, schemactx.Config{})
	a := f.create(t, "acme")
	require.NoError(t, f.m.Watch(metrics.Sources{
		DBs: []metrics.DB{
			f.db,
		},
		Tenants:    f.tenants,
		Storage:    f.runtime,
		Migrations: f.fleet,
		Backups:    backupsOf([]string{a.Schema}),
		Directory:  func() metrics.DirectoryStatus { return metrics.DirectoryStatus{} },
		Quarantine: func() metrics.QuarantineStatus { return metrics.QuarantineStatus{Counts: map[string]int{"behind": 1}} },
	}))
	require.NoError(t, f.m.Refresh(t.Context()))
	_, err := f.db.Exec(tenancy.NewContext(t.Context(), &a), "select 1")
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(f.reg, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := rec.Body.String()
	assert.Contains(t, text, `pgtenant_statements_total{tenant="`+a.Schema+`"} 1`, "the scrape lacks the program")
	lint(t, text)

	promtool, err := exec.LookPath("promtool")
	if err != nil {
		const why = "promtool is not installed (Debian: apt install prometheus)"
		require.Empty(t, os.Getenv("CI"), why)
		t.Skip(why)
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "promtool check metrics: %v\n%s", err, out)
	assert.Empty(t, out, "promtool check metrics: %v", err)
}
