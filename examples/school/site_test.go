package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

// startOn starts the program on a new database.
func startOn(t *testing.T) (*program, *pgtest.DB) {
	t.Helper()
	p, db, _ := startIn(t)
	return p, db
}

// startIn is startOn that also returns the data directory.
func startIn(t *testing.T) (*program, *pgtest.DB, string) {
	t.Helper()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix() // dropped after the test
	dir := filepath.Join(tempDir(t), "data")
	p, err := start(t, "--database-url", db.URL, "--data-dir", dir)
	require.NoError(t, err)
	return p, db, dir
}

func TestMetricsAreOnNoSchoolsHost(t *testing.T) {
	t.Parallel()
	p, _ := startOn(t)
	expectSchools(t, p.port)
	status, _, page := get(t, p.port, "localhost", "/metrics")
	for _, series := range []string{
		`pgtenant_http_requests_total{code="2xx",tenant="tenant_1"} 1`,
		`pgtenant_ratelimit_decisions_total{decision="allowed",tenant="tenant_2"} 1`,
		`pgtenant_explicit_switches_total{tenant="tenant_1"} 1`,
		`pgtenant_lifecycle_steps_total{operation="create",result="ok",step="migrate"} 3`,
		"go_goroutines ",
	} {
		assert.Contains(t, page, series, "the page lacks %s", series)
	}
	assert.Equal(t, 200, status)
	for _, host := range []string{"schoola.localhost", "nosuch.localhost"} {
		status, _, body := get(t, p.port, host, "/metrics")
		assert.Equal(t, 404, status, "%s: %d %s", host, status, body)
		assert.NotContains(t, body, "pgtenant", host)
	}
	require.NoError(t, p.stop())
}

func TestMetricsAreForThisMachineAlone(t *testing.T) {
	t.Parallel()
	m, err := metrics.New(metrics.Config{})
	require.NoError(t, err)
	page := (&app{platform: &platform{metrics: m}}).metricsPage()
	for from, want := range map[string]int{
		"127.0.0.1:4711": 200, "[::1]:4711": 200, "[::ffff:127.0.0.1]:4711": 200, "192.0.2.1:4711": 403, "@": 403, "": 403,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		assert.Equal(t, want, w.Code, "from %s", from)
		assert.False(t, want == 403 && strings.Contains(w.Body.String(), "pgtenant"), "from %s: %d", from, w.Code)
	}
}

// One client sends requests to a school until it is refused. The other school's requests are not
// affected.
func TestOneSchoolsRequestsAreLimited(t *testing.T) {
	t.Parallel()
	p, _ := startOn(t)
	limited := false
	for range 5000 { // the limit is ten per second
		if status, _, _ := get(t, p.port, "schoola.localhost", "/api/students/0"); status == 429 {
			limited = true
			break
		}
	}
	assert.True(t, limited, "no request was limited")
	status, _, body := get(t, p.port, "schoolb.localhost", "/api/students/")
	assert.Equal(t, 200, status, "the other school: %d %s", status, body)
	_, _, page := get(t, p.port, "localhost", "/metrics")
	assert.Contains(t, page, `pgtenant_ratelimit_decisions_total{decision="limited",tenant="tenant_1"} 1`,
		"the refusal is not counted")
	require.NoError(t, p.stop())
}

// After the program has stopped, the log has every write and every failure with the client's
// request id. The runtime login cannot read the log.
func TestWritesAndFailuresAreLogged(t *testing.T) {
	t.Parallel()
	p, db := startOn(t)
	req, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		"http://127.0.0.1:"+p.port+"/api/students/?token=secret",
		strings.NewReader("{}"),
	)
	require.NoError(t, err)
	req.Host = "schoolb.localhost"
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	get(t, p.port, "schoola.localhost", "/nowhere")
	get(t, p.port, "schoola.localhost", "/api/students/") // neither a write nor a failure
	require.NoError(t, p.stop())

	rows, err := db.Pool.Query(
		t.Context(),
		`select slug || ' ' || (details->>'method') || ' ' || (details->>'path') || ' ' || (details->>'status')
			|| case when request_id = $1 then ' ' || host(ip) else '' end
		from public.audit_log where action = 'schema_access' order by 1`,
		res.Header.Get("X-Request-Id"),
	)
	require.NoError(t, err)
	var logged []string
	for rows.Next() {
		var row string
		require.NoError(t, rows.Scan(&row))
		logged = append(logged, row)
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, "schoola GET /nowhere 404, schoolb POST /api/students/ 403 127.0.0.1", strings.Join(logged, ", "),
		"logged")
	var steps int
	require.NoError(
		t,
		db.Pool.QueryRow(t.Context(),
			"select count(*) from public.audit_log where action in ('create', 'explicit_switch') and actor = 'school'").
			Scan(&steps),
	)
	assert.GreaterOrEqual(t, steps, 4, "the log has %d rows for the creation of two schools", steps)
}

// The database of a version without log, plans and backups is migrated.
func TestDatabaseOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix()
	args := []string{"--database-url", db.URL, "--data-dir", filepath.Join(tempDir(t), "data")}
	p, err := start(t, args...)
	require.NoError(t, err)
	require.NoError(t, p.stop())
	_, err = db.Pool.Exec(t.Context(), `drop function public.audit_append, public.audit_tip;
		drop table public.audit_log, public.audit_heads, public.audit_ledger, public.audit_checkpoints cascade;
		drop table public.backup_runs, public.backup_erasures, public.staff_sessions, public.staff_codes;
		delete from public.goose_db_version where version_id > 1000000;
		update public.tenants set plan = ''`)
	require.NoError(t, err)
	p, err = start(t, args...)
	require.NoError(t, err)
	expectSchools(t, p.port)
	require.NoError(t, p.stop())
	var plans string
	require.NoError(
		t,
		db.Pool.QueryRow(t.Context(),
			"select string_agg(plan, ' ' order by id) from public.tenants where status <> 'stocked'").
			Scan(&plans),
	)
	assert.Equal(t, "basic premium basic", plans, "the plans are %s", plans)
}
