package dashboardtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/testprocess"
)

// startPrometheus starts a Prometheus for the test that scrapes target and evaluates the alerts. It
// returns its address.
func startPrometheus(t *testing.T, target string) string {
	t.Helper()
	binary := tool(t, "prometheus")
	dir, err := os.MkdirTemp("", "pgtenant-prometheus-*")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	alerts, err := os.ReadFile(filepath.Join(directory, "rules.yml"))
	require.NoError(t, err)
	for name, content := range map[string]string{
		"rules.yml": string(alerts),
		"prometheus.yml": fmt.Sprintf(`global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: school
    static_configs: [{targets: [%q]}]
`, target),
	} {
		// the directory is private to its user
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd := exec.Command(binary, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	stopped := testprocess.Start(t, cmd, dir)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has no data to save
		<-stopped
		if t.Failed() {
			content, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("the log of Prometheus: %s", content)
		}
	})
	return address
}

// answer is a response of Prometheus' API.
type answer struct {
	Status, Error string
	Data          json.RawMessage
}

func ask(address, path string, query url.Values) (answer, error) {
	resp, err := http.Get("http://" + address + path + "?" + query.Encode())
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	var a answer
	return a, json.Unmarshal(body, &a)
}

// series returns the number of series that a query finds now.
func series(address, expr string) (int, error) {
	a, err := ask(address, "/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		return 0, err
	}
	var data struct{ Result []json.RawMessage }
	if a.Status != "success" {
		return 0, fmt.Errorf("%s: %s", expr, a.Error)
	}
	err = json.Unmarshal(a.Data, &data)
	return len(data.Result), err
}

// eventually retries works until it succeeds, for up to a minute.
func eventually(t *testing.T, what string, works func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = works(); err == nil {
			return
		}
	}
	assert.NoError(t, err, what)
}

// Every query of the dashboard has data, on a real Prometheus that scrapes a real program with real
// tenants.
func TestEveryPanelHasDataInARealPrometheus(t *testing.T) {
	t.Parallel()
	tool(t, "prometheus")
	p := start(t)
	p.background(t, p.use)
	address := startPrometheus(t, p.page(t))
	eventually(t, "scrape", func() error {
		n, err := series(address, `up{job="school"} == 1`)
		if err == nil && n != 1 {
			targets, _ := ask(address, "/api/v1/targets", nil)
			err = fmt.Errorf("%d targets are up: %s", n, targets.Data)
		}
		return err
	})
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			eventually(t, panel.Title, func() error {
				n, err := series(address, filled(target.Expr))
				if err == nil && n == 0 {
					err = fmt.Errorf("no data for %s", filled(target.Expr))
				}
				return err
			})
			if t.Failed() {
				return
			}
		}
	}
	eventually(t, "alert", func() error {
		n, err := series(address, `ALERTS{alertname="PgtenantCrossTenantAttempt",alertstate="firing"}`)
		if err == nil && n == 0 {
			err = fmt.Errorf("the attempts of the program have raised none")
		}
		return err
	})
}

func TestPanelsAndAlertsNameExistingMetrics(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.background(t, p.use)
	var known map[string]map[string]bool
	eventually(t, "scrape", func() error { // until every label has occurred
		families, err := p.reg.Gather()
		require.NoError(t, err)
		known = vocabulary(t, families)
		for _, name := range []string{
			"pgtenant_lifecycle_steps_total", "pgtenant_migration_run_schemas", "pgtenant_schema_size_bytes",
			"pgtenant_backup_timestamp_seconds", "pgtenant_migration_schemas",
		} {
			if known[name] == nil {
				return fmt.Errorf("there is no %s yet", name)
			}
		}
		return nil
	})
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			expectKnown(t, known, panel.Title, filled(target.Expr))
		}
	}
	for _, expr := range rules(t) {
		expectKnown(t, known, "alert", expr)
	}
}
