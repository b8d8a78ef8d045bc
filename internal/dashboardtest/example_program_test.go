package dashboardtest_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// startExample builds examples/school, starts it on a new database, and returns its address.
func startExample(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "school")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = filepath.Join("..", "..", "examples", "school")
	built, err := build.CombinedOutput()
	require.NoError(t, err, "%s", built)
	pg := pgtest.New(t)
	pg.RolePrefix = schemactx.DefaultRoleNames(pg.Name).Prefix() // dropped after the test
	cmd := exec.Command(binary, "--listen", "127.0.0.1:0", "--database-url", pg.URL, "--data-dir",
		filepath.Join(t.TempDir(), "data"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		rest, _ := io.ReadAll(out)
		err := cmd.Wait()
		assert.NoError(t, err, "the example has printed: %s", rest)
		assert.True(t, strings.HasSuffix(string(rest), "Stopped.\n"), "the example has not printed that it stopped: %s", rest)
	})
	page := regexp.MustCompile(`^Metrics +http://localhost(:\d+)/metrics$`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := page.FindStringSubmatch(lines.Text()); m != nil {
			return "127.0.0.1" + m[1]
		}
	}
	require.Fail(t, "the example does not print the address of its metrics")
	return ""
}

// visit requests the students of a school, and a path that does not exist.
func visit(address, host string) error {
	for _, path := range []string{"/api/students/", "/nowhere"} {
		req, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			return err
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
	}
	return nil
}

// A real Prometheus scrapes the unchanged example as its README says.
func TestARealPrometheusScrapesTheExample(t *testing.T) {
	t.Parallel()
	tool(t, "prometheus")
	target := startExample(t)
	address := startPrometheus(t, target)
	panels := make(map[string]string)
	for _, p := range readDashboard(t).Panels {
		for _, q := range p.Targets {
			panels[p.Title] = filled(q.Expr)
		}
	}
	for _, expr := range []string{
		`up{job="school"} == 1`,
		`pgtenant_http_requests_total{tenant="tenant_1",code="2xx"} > 0`,
		`pgtenant_http_requests_total{tenant="tenant_2",code="4xx"} > 0`,
		`pgtenant_refused_requests_total{reason="unknown_host"} > 0`,
		`pgtenant_statements_total * on (tenant) group_left (slug) pgtenant_tenant_info{slug="schoolb"} > 0`,
		`pgtenant_schema_size_bytes{tenant="tenant_1"} > 0`,
		`pgtenant_migration_schemas{state="current"} >= 3`, // and the stocked schemas
		panels["Active tenants"] + " == 3",
		panels["Requests"], panels["Request p99"], panels["Statements"], panels["Rate limit decisions"], panels["Pool"],
		panels["Tenants without a backup"], panels["Explicit switches"],
	} {
		eventually(t, expr, func() error {
			for _, host := range []string{"schoola.localhost", "schoolb.localhost", "nosuch.localhost"} {
				if err := visit(target, host); err != nil {
					return err
				}
			}
			n, err := series(address, expr)
			if err == nil && n == 0 {
				err = fmt.Errorf("no data")
			}
			return err
		})
		if t.Failed() {
			return
		}
	}
}

// promtool accepts the names and the help of the example's metrics.
func TestPromtoolChecksThePageOfTheExample(t *testing.T) {
	t.Parallel()
	promtool := tool(t, "promtool")
	target := startExample(t)
	require.NoError(t, visit(target, "schoola.localhost"))
	resp, err := http.Get("http://" + target + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = resp.Body
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "promtool check metrics: %v\n%s", err, out)
	assert.Empty(t, out, "promtool check metrics: %v", err)
}
