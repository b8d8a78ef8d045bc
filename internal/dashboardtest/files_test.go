package dashboardtest_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const directory = "../../tenancy/metrics/dashboards"

// dashboard has the fields of a Grafana dashboard that the tests read.
type dashboard struct {
	UID           string
	Title         string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ Type, UID string }
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct {
		RefID      string
		Expr       string
		Datasource struct{ UID string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(directory, "pgtenant.json"))
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(content, &d))
	require.GreaterOrEqual(t, len(d.Panels), 30, "%d panels", len(d.Panels))
	return d
}

// filled returns an expression with values for its variables, as Grafana sends it.
func filled(expr string) string {
	return strings.NewReplacer("$__rate_interval", "15s", "$job", ".*", "$tenant", ".*").Replace(expr)
}

// rules returns the expressions of the alerts. It reads the YAML with a regular expression, because
// promtool checks its syntax.
func rules(t *testing.T) (exprs []string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(directory, "rules.yml"))
	require.NoError(t, err)
	exprRE := regexp.MustCompile(`(?m)^        expr: (?:\|\n((?:          .*\n)+)|(.*)\n)`)
	for _, m := range exprRE.FindAllStringSubmatch(string(content), -1) {
		exprs = append(exprs, m[1]+m[2])
	}
	n := strings.Count(string(content), "- alert: ")
	require.Equal(t, len(exprs), n, "%d alerts, %d expressions", n, len(exprs))
	require.GreaterOrEqual(t, n, 15, "%d alerts, %d expressions", n, len(exprs))
	return exprs
}

// vocabulary returns the labels of each metric of a scrape, and of the series that Prometheus
// derives from it.
func vocabulary(t *testing.T, families []*dto.MetricFamily) map[string]map[string]bool {
	t.Helper()
	known := make(map[string]map[string]bool)
	for _, f := range families {
		labels := map[string]bool{"job": true, "instance": true} // added by Prometheus
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
			}
		}
		known[f.GetName()] = labels
		if f.GetType() == dto.MetricType_HISTOGRAM {
			bucket := maps.Clone(labels)
			bucket["le"] = true
			known[f.GetName()+"_bucket"], known[f.GetName()+"_count"], known[f.GetName()+"_sum"] = bucket, labels, labels
		}
	}
	return known
}

// expectKnown fails the test unless the expression parses and uses only existing metrics and
// labels.
func expectKnown(t *testing.T, known map[string]map[string]bool, what, expr string) {
	t.Helper()
	ast, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if !assert.NoError(t, err, "%s: %v in %s", what, err, expr) {
		return
	}
	labels, named := make(map[string]bool), false
	parser.Inspect(ast, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok {
			named = true
			maps.Copy(labels, known[v.Name])
			if !assert.NotNil(t, known[v.Name], "%s: no metric %q", what, v.Name) {
				return nil
			}
			for _, m := range v.LabelMatchers {
				assert.True(t, m.Name == "__name__" || known[v.Name][m.Name], "%s: %s has no label %q", what, v.Name, m.Name)
			}
		}
		return nil
	})
	assert.True(t, named, "%s names no metric: %s", what, expr)
	for _, name := range grouping(ast) {
		assert.True(t, labels[name], "%s: nothing in it has a label %q: %s", what, name, expr)
	}
}

// grouping returns the labels that an expression groups and matches by.
func grouping(ast parser.Expr) (names []string) {
	parser.Inspect(ast, func(node parser.Node, _ []parser.Node) error {
		switch e := node.(type) {
		case *parser.AggregateExpr:
			names = append(names, e.Grouping...)
		case *parser.BinaryExpr:
			if e.VectorMatching != nil {
				names = slices.Concat(names, e.VectorMatching.MatchingLabels, e.VectorMatching.Include)
			}
		}
		return nil
	})
	return names
}

func TestTheChecksCanFail(t *testing.T) {
	t.Parallel()
	known := map[string]map[string]bool{"a_total": {"job": true}, "b": {"slug": true, "job": true}}
	for _, expr := range []string{
		"rate(a_total", "rate(c_total[1m])", `rate(a_total{tenant="x"}[1m])`, "sum by (tenant) (a_total)",
		"a_total * on (instance) b", "1",
	} {
		probe := &testing.T{}
		expectKnown(probe, known, "probe", expr)
		assert.True(t, probe.Failed(), "%s passes", expr)
	}
	expectKnown(t, known, "probe", `sum by (slug) (rate(a_total{job="x"}[1m]) * on (job) group_left (slug) b)`)
}

func TestTheDashboardCanBeProvisioned(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	assert.Equal(t, "pgtenant", d.UID, "uid %q, title %q, schema version %d", d.UID, d.Title, d.SchemaVersion)
	assert.NotEmpty(t, d.Title, "uid %q, title %q, schema version %d", d.UID, d.Title, d.SchemaVersion)
	assert.GreaterOrEqual(t, d.SchemaVersion, 36, "uid %q, title %q, schema version %d", d.UID, d.Title, d.SchemaVersion)
	v := d.Templating.List[0]
	assert.Equal(t, "datasource", v.Name, "the first variable is %+v, want the data source", v)
	assert.Equal(t, "datasource", v.Type, "the first variable is %+v, want the data source", v)
	ids, cells := make(map[int]bool), make(map[[2]int]string)
	for _, p := range d.Panels {
		assert.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				other, taken := cells[[2]int{x, y}]
				assert.False(t, taken, "panel %q lies over %q or outside", p.Title, other)
				assert.Less(t, x, 24, "panel %q lies over %q or outside", p.Title, other)
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		assert.NotEmpty(t, p.Title, "panel %d %q lacks something", p.ID, p.Title)
		assert.NotEmpty(t, p.Description, "panel %d %q lacks something", p.ID, p.Title)
		assert.NotEmpty(t, p.Targets, "panel %d %q lacks something", p.ID, p.Title)
		assert.Equal(t, "${datasource}", p.Datasource.UID, "panel %d %q lacks something", p.ID, p.Title)
		for _, q := range p.Targets {
			assert.NotEmpty(t, q.RefID, "panel %q: query %q has no name or another data source", p.Title, q.Expr)
			assert.Equal(t, "${datasource}", q.Datasource.UID,
				"panel %q: query %q has no name or another data source", p.Title, q.Expr)
		}
	}
}

func TestTheDescriptionsAreComplete(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(directory, "README.md"))
	require.NoError(t, err)
	for _, p := range readDashboard(t).Panels {
		assert.Contains(t, string(readme), p.Title, "the README does not describe panel %q as the dashboard does", p.Title)
		assert.Contains(t, string(readme), p.Description,
			"the README does not describe panel %q as the dashboard does", p.Title)
	}
	content, err := os.ReadFile(filepath.Join(directory, "rules.yml"))
	require.NoError(t, err)
	tests, err := os.ReadFile(filepath.Join(directory, "rules_test.yml"))
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(content), -1) {
		if assert.Contains(t, string(readme), m[1], "alert %s is not described, or no test has it fire", m[1]) {
			assert.Contains(t, string(tests), "alertname: "+m[1]+"\n        exp_alerts:",
				"alert %s is not described, or no test has it fire", m[1])
		}
	}
}

// tool returns the path of a program of Prometheus. Without it, it skips the test, or fails it if
// CI is set.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		why := name + " is not installed (Debian: apt install prometheus; the service that it brings is not needed)"
		require.Empty(t, os.Getenv("CI"), why)
		t.Skip(why)
	}
	return path
}

func TestPromtoolChecksAndTestsTheAlerts(t *testing.T) {
	t.Parallel()
	promtool := tool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = directory
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, "promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		assert.Contains(t, string(out), "SUCCESS", "promtool %s: %v", strings.Join(args, " "), err)
	}
}
