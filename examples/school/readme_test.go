package main

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shown is a command of the README and its output.
type shown struct{ command, output string }

// readme returns the commands of the README in order.
func readme(t *testing.T) (all []shown) {
	t.Helper()
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
		for _, part := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, output, _ := strings.Cut(part, "\n")
			all = append(all, shown{command, output})
		}
	}
	require.GreaterOrEqual(t, len(all), 20, "the README shows %d commands", len(all))
	return all
}

// Patterns for output that differs between runs: names of backups, numbers of auxiliary schemas,
// times, and the actor.
var (
	side       = regexp.MustCompile(`tenant_1_r\d+`)
	newSchema  = regexp.MustCompile(`tenant_(\d{2,}|[4-9])\b`) // not of the demo: the stock differs
	backupName = regexp.MustCompile(
		`([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/)?(tenant_N|\d+)-([a-z]+)/\d{8}T\d{6}Z-[a-z0-9]{10}\.tar`,
	)
	timeOfDay = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
	duration  = regexp.MustCompile(`\d+ schemas in [\d.]+m?s: \d+`)
	size      = regexp.MustCompile(`\d+\.\d KiB`)
	row       = regexp.MustCompile(`\d+ rows in \d chains?`)
	blanks    = regexp.MustCompile(` +`)
	// the column before the details of an entry of the access log
	actor = regexp.MustCompile(`(?m)^TIMEZ \S+ \S+ ("[^"]*"|\S+) \S+ \{`)
)

func normal(output, name string) string {
	output = newSchema.ReplaceAllString(side.ReplaceAllString(output, "tenant_1_rN"), "tenant_N")
	output = timeOfDay.ReplaceAllString(backupName.ReplaceAllString(output, "NAME.tar"), "TIME")
	output = duration.ReplaceAllString(
		size.ReplaceAllString(row.ReplaceAllString(output, "N rows in N chains"), "N KiB"),
		"N schemas in N ms: N",
	)
	output = strings.ReplaceAll(blanks.ReplaceAllString(output, " "), "\r", "")
	output = actor.ReplaceAllStringFunc(output, func(line string) string {
		if at := actor.FindStringSubmatchIndex(line); line[at[2]:at[3]] == name || line[at[2]:at[3]] == strconv.Quote(name) {
			line = line[:at[2]] + "WHO" + line[at[3]:]
		}
		return line
	})
	return strings.TrimSpace(output)
}

// TestReadmeCommands runs every command of the README in a shell, against a running program, and
// compares the output.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "psql"} {
		if _, err := exec.LookPath(tool); err != nil {
			require.Empty(t, os.Getenv("CI"), err)
			t.Skip(err)
		}
	}
	who, err := user.Current()
	require.NoError(t, err)
	data := filepath.Join(tempDir(t), "my data")
	p := startLocal(t, "--data-dir", data)
	work := t.TempDir()
	run := func(command string) string {
		command = strings.ReplaceAll(command, "go run ./examples/school", `"$SCHOOL" --data-dir "$DATA"`)
		shell := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(command, ":8000", ":"+p.port))
		shell.Dir = work
		shell.Env = append(os.Environ(), "SCHOOL_TEST_PROGRAM=1", "SCHOOL="+os.Args[0], "DATA="+data,
			"DATABASE="+regexp.MustCompile(`psql '(.*)'`).FindStringSubmatch(p.output)[1])
		out, _ := shell.CombinedOutput() // grep and diff exit with 1 where the README shows that
		return string(out)
	}
	eventually(t, "the schedule's first backups", func() bool {
		return strings.TrimSpace(
			run(`psql "$DATABASE" -Atc "select count(*) from backup_runs where kind = 'backup' and taken_at is not null"`),
		) == "3"
	})
	for _, s := range readme(t) {
		want, got := normal(s.output, "ada"), normal(given(run(s.command), data), who.Username)
		// The program learns of changes by other processes after a moment, and surveys its tenants in the
		// background. So curl is retried until its output is as expected.
		for range 300 {
			if got == want || !strings.HasPrefix(s.command, "curl") {
				break
			}
			time.Sleep(100 * time.Millisecond)
			got = normal(given(run(s.command), data), who.Username)
		}
		require.Equal(t, want, got, "$ %s\n%s\nwant", s.command, got)
	}
	left, err := os.ReadDir(work)
	require.NoError(t, err)
	ignored, err := os.ReadFile("../../.gitignore")
	require.NoError(t, err)
	for _, file := range left {
		assert.Contains(t, "\n"+string(ignored), "\n/"+file.Name()+"/\n",
			"the commands leave %s in the checkout, which does not ignore it", file.Name())
	}
	require.NoError(t, p.stop())
	assert.Contains(t, run("go run ./examples/school audit verify schoola"), "none was changed",
		"a command where nothing serves")
}

// given removes the flag --data-dir from hints: every command of the test has it, but not those of
// the README.
func given(output, data string) string {
	return strings.ReplaceAll(output, ` --data-dir "`+data+`"`, "")
}

// eventually waits until is returns true, for at most a minute.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		require.False(t, time.Now().After(deadline), "waited for a minute: %s", what)
	}
}
