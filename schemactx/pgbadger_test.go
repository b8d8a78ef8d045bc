package schemactx_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// logOf returns a file with the log lines about the fixture's database. pgBadger attributes the
// further lines of a message to the session that wrote the line before, and counts the applications
// of all databases.
func (s *loggingServer) logOf(t *testing.T, f *fixture) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.server.Dir(), "server.log"))
	require.NoError(t, err)
	var ownLines []byte
	keep := false
	for line := range bytes.Lines(content) {
		if m := logLine.FindSubmatch(bytes.TrimSuffix(line, []byte("\n"))); m != nil {
			keep = string(m[2]) == f.pg.Name
		}
		if keep {
			ownLines = append(ownLines, line...)
		}
	}
	path := filepath.Join(t.TempDir(), "postgresql.log")
	require.NoError(t, os.WriteFile(path, ownLines, 0o600))
	return path
}

// pgBadger's report of a real log counts the statements of each tenant by application name.
func testLogIsReadByPgBadger(t *testing.T, s *loggingServer) {
	binary, err := exec.LookPath("pgbadger")
	if err != nil {
		const why = "pgbadger is not installed: its report is not tried (Debian: apt install pgbadger)"
		require.Empty(t, os.Getenv("CI"), why)
		t.Skip(why)
	}
	f := s.setup(t)
	db := f.openLogged(t, schemactx.ServerLogApplicationName, pgx.QueryExecModeCacheStatement)
	want := map[string]float64{"badger_a": 30, "badger_b": 10}
	for schema, times := range want {
		f.provision(t, schema)
		for range int(times) {
			_, err := db.Exec(in(t, schema), "select $1::int", 1)
			require.NoError(t, err)
		}
		_, err := db.Exec(in(t, schema), "select 1/0")
		expectState(t, err, "22012")
	}
	out := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.Command(binary, "--quiet", "--format", "stderr", "--prefix", logPrefix, "--dbname", f.pg.Name,
		"--outfile", out, s.logOf(t, f))
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, output)
	content, err := os.ReadFile(out)
	require.NoError(t, err)
	var report struct {
		Applications map[string]map[string]map[string]float64 `json:"application_info"` // by database, name and kind
	}
	require.NoError(t, json.Unmarshal(content, &report))
	got := make(map[string]float64)
	for _, names := range report.Applications {
		for name, counts := range names {
			got[name] += counts["select"]
		}
	}
	for schema, times := range want {
		assert.Equal(t, times, got[schema],
			"the report has %v selects of %s, want %v: %v", got[schema], schema, times, report.Applications)
	}
}
