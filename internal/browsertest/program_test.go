package browsertest_test

import (
	"bufio"
	"io"
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

// program is the running program examples/school.
type program struct {
	t      *testing.T
	binary string
	args   []string // the flags that select its database and data directory
	port   string
	used   map[string]string // the last one-time code of each member
}

// start builds the example and starts it on a new database.
func start(t *testing.T) *program {
	t.Helper()
	p := &program{t: t, binary: filepath.Join(t.TempDir(), "school"), used: make(map[string]string)}
	build := exec.Command("go", "build", "-o", p.binary, ".")
	build.Dir = filepath.Join("..", "..", "examples", "school")
	built, err := build.CombinedOutput()
	require.NoError(t, err, "%s", built)
	pg := pgtest.New(t)
	pg.RolePrefix = schemactx.DefaultRoleNames(pg.Name).Prefix() // dropped after the test
	p.args = []string{"--database-url", pg.URL, "--data-dir", filepath.Join(t.TempDir(), "data")}
	cmd := exec.Command(p.binary, append([]string{"--listen", "127.0.0.1:0"}, p.args...)...)
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
	console := regexp.MustCompile(`^Console +http://localhost:(\d+)/admin/$`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := console.FindStringSubmatch(lines.Text()); m != nil {
			p.port = m[1]
			return p
		}
	}
	require.Fail(t, "the example does not print the address of its console")
	return nil
}

// run runs a command of the example beside the serving process.
func (p *program) run(args ...string) string {
	p.t.Helper()
	out, err := exec.Command(p.binary, append(p.args, args...)...).CombinedOutput()
	require.NoError(p.t, err, "school %v:\n%s", args, out)
	return strings.TrimSpace(string(out))
}

// password returns the password that "school logins" shows for the address on the named site.
func (p *program) password(site, email string) string {
	p.t.Helper()
	for line := range strings.Lines(p.run("logins")) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == site && f[2] == email {
			return f[3]
		}
	}
	require.Fail(p.t, "no such login", "%s at %s", email, site)
	return ""
}

// url returns a URL of the example. Chromium resolves localhost and its subdomains to this machine
// without DNS.
func (p *program) url(host, path string) string { return "http://" + host + ":" + p.port + path }
