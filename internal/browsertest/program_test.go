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

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// program is a running example.
type program struct {
	t      *testing.T
	binary string
	args   []string // select its data
	port   string
	used   map[string]string // the last one-time code of each member
}

// start builds the example and starts it on a new database.
func start(t *testing.T) *program {
	t.Helper()
	p := &program{t: t, binary: filepath.Join(t.TempDir(), "school"), used: make(map[string]string)}
	build := exec.Command("go", "build", "-o", p.binary, "./examples/school")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pg := pgtest.New(t)
	pg.RolePrefix = schemactx.DefaultRoleNames(pg.Name).Prefix() // dropped after the test
	p.args = []string{"--database-url", pg.URL, "--data-dir", filepath.Join(t.TempDir(), "data")}
	cmd := exec.Command(p.binary, append([]string{"--listen", "127.0.0.1:0"}, p.args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil || !strings.HasSuffix(string(rest), "Stopped.\n") {
			t.Errorf("the example ends with %v: %s", err, rest)
		}
	})
	console := regexp.MustCompile(`^Console +http://localhost:(\d+)/admin/$`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := console.FindStringSubmatch(lines.Text()); m != nil {
			p.port = m[1]
			return p
		}
	}
	t.Fatal("the example does not say where its console is")
	return nil
}

// run runs a command of the example beside the serving process.
func (p *program) run(args ...string) string {
	p.t.Helper()
	out, err := exec.Command(p.binary, append(p.args, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("school %v: %v\n%s", args, err, out)
	}
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
	p.t.Fatalf("%s cannot log in at %s", email, site)
	return ""
}

// url returns a URL of the example. Chromium resolves localhost and its subdomains to this machine
// without DNS.
func (p *program) url(host, path string) string { return "http://" + host + ":" + p.port + path }
