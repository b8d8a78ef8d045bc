package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// TestMain makes the test binary act as the program, so that a test can kill it and a shell can run
// it.
func TestMain(m *testing.M) {
	programName = func() string { return "go run ./examples/school" } // as in the README
	if os.Getenv("SCHOOL_TEST_PROGRAM") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(pgtest.Main(m))
}

var port = regexp.MustCompile(`localhost:(\d+)/\n`)

// program is a running example.
type program struct {
	output string // up to the end of the welcome
	port   string
	stop   func() error
}

// run runs the program in this process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := newCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

// oneLine returns the text of an error on one line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// start runs the program in this process. It returns after the welcome.
func start(t *testing.T, args ...string) (*program, error) {
	t.Helper()
	return startLogging(t, io.Discard, args...)
}

// startLogging is start with a writer for the log.
func startLogging(t *testing.T, log io.Writer, args ...string) (*program, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"--listen", "127.0.0.1:0"}, args...), w, log)
		w.Close()
		ended <- err
	}()
	output, welcomed := readWelcome(r)
	if !welcomed {
		cancel()
		return nil, <-ended
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	p := &program{
		output: output,
		port:   port.FindStringSubmatch(output)[1],
		stop:   func() error { cancel(); return <-ended },
	}
	return p, nil
}

// readWelcome reads up to the last line of the welcome.
func readWelcome(r io.Reader) (output string, welcomed bool) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		output += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			return output, true
		}
	}
	return output, false
}

// get sends a GET with a Host header.
func get(t *testing.T, port, host, path string) (status int, contentType, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+path, nil)
	require.NoError(t, err)
	req.Host = host
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header.Get("Content-Type"), string(content)
}

// admissions returns the admission numbers of a school.
func admissions(t *testing.T, port, host string) []string {
	t.Helper()
	_, _, body := get(t, port, host, "/api/students/")
	var list struct {
		Students []struct {
			AdmissionNumber string `json:"admission_number"`
		} `json:"students"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	var numbers []string
	for _, s := range list.Students {
		numbers = append(numbers, s.AdmissionNumber)
	}
	return numbers
}

func expectSchools(t *testing.T, port string) {
	t.Helper()
	a, b := admissions(t, port, "schoola.localhost"), admissions(t, port, "schoolb.localhost:8000")
	// a full page
	if assert.Len(t, a, 100, "school A has %v, school B %v", a, b) &&
		assert.Len(t, b, 100, "school A has %v, school B %v", a, b) &&
		assert.Equal(t, "A-0001", a[0], "school A has %v, school B %v", a, b) {
		assert.Equal(t, "B-0001", b[0], "school A has %v, school B %v", a, b)
	}
	for host, want := range map[string]int{"nosuch.localhost": 404, "a..b": 400, "localhost": 404} {
		status, contentType, body := get(t, port, host, "/api/students/")
		assert.Equal(t, want, status, "%s: %d %s %s", host, status, contentType, body)
		assert.Equal(t, "application/problem+json", contentType, "%s: %d %s %s", host, status, contentType, body)
	}
	for _, host := range []string{"schoola.localhost", "localhost", "nosuch.localhost"} {
		status, _, body := get(t, port, host, "/healthz")
		assert.Equal(t, 200, status, "healthz on %s: %d %s", host, status, body)
		assert.Equal(t, "ok\n", body, "healthz on %s: %d", host, status)
	}
	status, _, body := get(t, port, "localhost", "/")
	assert.Equal(t, 200, status, "public site: %d %s", status, body)
	assert.Contains(t, body, "Brookfield College", "public site: %d", status)
}

// tempDir is t.TempDir, but the user that runs PostgreSQL can enter it.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "school-test-*")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// startLocal starts the program with a local PostgreSQL. It skips the test if there are no
// PostgreSQL binaries.
func startLocal(t *testing.T, args ...string) *program {
	t.Helper()
	p, err := start(t, args...)
	var none *localpg.NoBinariesError
	if errors.As(err, &none) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	return p
}

func TestTwoStartsOnOneDataDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t), "Ada's \"school\" data, 日本")
	p := startLocal(t, "--data-dir", dir)
	expectSchools(t, p.port)
	_, err := start(t, "--data-dir", dir)
	assert.ErrorIs(t, err, localpg.ErrInUse, "a second program on the directory")
	expectRuntimeReadsNothing(t, p.output)
	require.NoError(t, p.stop())
	p = startLocal(t, "--data-dir", dir)
	expectSchools(t, p.port)
	require.NoError(t, p.stop())
}

// expectRuntimeReadsNothing connects as the runtime login to the URL that the program has printed,
// and expects that it can read nothing.
func expectRuntimeReadsNothing(t *testing.T, output string) {
	t.Helper()
	shown := regexp.MustCompile(`psql '(.*)'`).FindStringSubmatch(output)
	conn, err := pgx.Connect(t.Context(), strings.Replace(shown[1], "postgres@", "school_runtime@", 1))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "select * from tenant_1.students")
	var state interface{ SQLState() string }
	if assert.ErrorAs(t, err, &state, "the runtime login reads a tenant") {
		assert.Equal(t, "42501", state.SQLState(), "the runtime login reads a tenant")
	}
}

func TestDatabaseOfAnotherProgram(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix() // dropped after the test
	dir := filepath.Join(tempDir(t), "data")
	args := []string{"--database-url", db.URL, "--data-dir", dir}
	p, err := start(t, args...)
	require.NoError(t, err)
	second, err := start(t, args...) // two processes share the logins
	require.NoError(t, err)
	expectSchools(t, second.port)
	expectSchools(t, p.port)
	if assert.NotContains(t, p.output, "password", "a password is printed") {
		assert.NotContains(t, p.output, ":"+passwordOf(t, db.URL)+"@", "a password is printed")
	}
	require.NoError(t, second.stop())
	hint := "psql '" + strings.Replace(db.URL, ":"+passwordOf(t, db.URL)+"@", "@", 1) + "'"
	assert.Contains(t, p.output, hint, "there is no %s in: %s", hint, p.output)
	for _, command := range []string{"logins", "code " + ada} {
		assert.Contains(t, p.output, "go run ./examples/school "+command+" --database-url ",
			"the hint to run %s lacks the flags that were given", command)
		assert.Contains(t, p.output, " --data-dir "+dir, "the hint to run %s lacks the flags that were given", command)
	}

	// Another data directory has other passwords for the same logins. Commands with it do not change
	// the passwords.
	passwords := func() (all string) {
		require.NoError(
			t,
			db.Pool.QueryRow(t.Context(),
				"select string_agg(rolpassword, ' ' order by rolname) from pg_authid where starts_with(rolname, $1)",
				db.RolePrefix).
				Scan(&all),
		)
		return all
	}
	before := passwords()
	other := filepath.Join(tempDir(t), "other")
	for _, command := range [][]string{
		{"serve", "--listen", "127.0.0.1:0"}, {"logins"}, {"tenant", "list"}, {"check"}, {"init"}, {"backup", "schoola"},
	} {
		err := run(t.Context(), append(command, "--database-url", db.URL, "--data-dir", other), io.Discard, io.Discard)
		if !assert.ErrorIs(t, err, errOtherPasswords, command[0]) {
			continue
		}
		assert.ErrorContains(t, err, "--new-passwords --database-url ", command[0])
		assert.ErrorContains(t, err, " --data-dir "+other, command[0])
		assert.NotContains(t, err.Error(), passwordOf(t, db.URL), command[0])
	}
	require.NoError(t, run(t.Context(), append([]string{"tenant", "list"}, args...), io.Discard, io.Discard))
	assert.Equal(t, before, passwords(), "the logins have other passwords than before")
	expectSchools(t, p.port)
	require.NoError(
		t,
		run(t.Context(), []string{"init", "--new-passwords", "--database-url", db.URL, "--data-dir", other}, io.Discard,
			io.Discard),
	)
	require.NoError(t,
		run(t.Context(), []string{"tenant", "list", "--database-url", db.URL, "--data-dir", other}, io.Discard, io.Discard))
	assert.NotEqual(t, before, passwords(), "the logins have the passwords that they had before")
	require.NoError(t, p.stop())
}

// The program does not serve if its runtime login has privileges of its own.
func TestDatabaseThatBreaksTheIsolation(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	roles := schemactx.DefaultRoleNames(db.Name)
	db.RolePrefix = roles.Prefix()
	args := []string{"--no-demo", "--database-url", db.URL, "--data-dir", filepath.Join(tempDir(t), "data")}
	p, err := start(t, args...)
	require.NoError(t, err)
	require.NoError(t, p.stop())
	_, err = db.Pool.Exec(
		t.Context(),
		"create table public.secrets (s text); grant select on public.secrets to "+roles.Runtime(),
	)
	require.NoError(t, err)
	_, err = start(t, args...)
	if assert.ErrorIs(t, err, admin.ErrUnsafe, "started, or %v", err) {
		assert.Contains(t, oneLine(err), roles.Runtime(), "started, or %v", err)
	}
}

func passwordOf(t *testing.T, url string) string {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	return cfg.Password
}

func TestNoDemo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix()
	p, err := start(t, "--no-demo", "--database-url", db.URL, "--data-dir", filepath.Join(tempDir(t), "data"))
	require.NoError(t, err)
	status, _, _ := get(t, p.port, "schoola.localhost", "/api/students/")
	assert.Equal(t, 404, status, "status %d, want 404: there should be no school", status)
	require.NoError(t, p.stop())
}

func TestInvalidStartsAreRefused(t *testing.T) {
	t.Parallel()
	foreign := tempDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o644))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no database": {
			[]string{"--database-url", "postgres://u:secret@127.0.0.1:1/x", "--data-dir", filepath.Join(tempDir(t), "d")},
			"127.0.0.1:1 cannot be reached: connection refused",
		},
		"no answer": {
			[]string{"--database-url", silent(t), "--data-dir", filepath.Join(tempDir(t), "d")}, "does not answer within 1s",
		},
		"no directory": {[]string{"--data-dir", ""}, "it names no directory"},
		"not a URL": {
			[]string{"--database-url", "host=x", "--data-dir", filepath.Join(tempDir(t), "d")}, "not a URL",
		},
		"of another program": {[]string{"--data-dir", foreign}, "is not of this program: it contains thesis.txt"},
		"address":            {[]string{"--listen", "nonsense"}, "cannot listen on nonsense"},
		"stray argument":     {[]string{"stray"}, `unknown command "stray" for "go run ./examples/school"`},
		"file as directory":  {[]string{"--data-dir", filepath.Join(foreign, "thesis.txt")}, "cannot use the data directory"},
	} {
		_, err := start(t, c.args...)
		if assert.Error(t, err, "%s: %v", name, err) && assert.Contains(t, oneLine(err), c.want, "%s: %v", name, err) {
			assert.NotContains(t, err.Error(), "secret", "%s: %v", name, err)
		}
		code := manage.ExitCode(err)
		assert.Equal(t, name == "stray argument" || name == "no directory", code == manage.CodeUsage,
			"%s: exit code %d", name, code)
	}
}

// silent returns the URL of a server that accepts connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return "postgres://u:secret@" + l.Addr().String() + "/x?connect_timeout=1&sslmode=disable"
}

// A relative data directory works, and is printed as an absolute path.
func TestARelativeDataDirectoryIsPrintedAsWhatItIs(t *testing.T) {
	t.Parallel()
	wd, err := os.Getwd()
	require.NoError(t, err)
	dir := filepath.Join(tempDir(t), "my data")
	relative, err := filepath.Rel(wd, dir)
	require.NoError(t, err)
	var out strings.Builder
	err = run(t.Context(), []string{"--listen", "127.0.0.1:0", "--data-dir", relative, "--database-url", "nonsense"},
		&out, io.Discard)
	assert.ErrorIs(t, err, errBadURL, out.String())
	assert.Contains(t, out.String(), dir)
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	err = run(t.Context(), []string{"--listen", l.Addr().String(), "--data-dir", filepath.Join(tempDir(t), "d")},
		io.Discard, io.Discard)
	if assert.ErrorContains(t, err, "address already in use") {
		assert.Contains(t, err.Error(), "--listen")
	}
}

// After SIGKILL the program leaves no PostgreSQL running, and the next start works.
func TestKilledProgram(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("only Linux ends a process with its parent")
	}
	dir := filepath.Join(tempDir(t), "data")
	require.NoError(t, startLocal(t, "--data-dir", dir).stop()) // skips without binaries
	cmd := exec.Command(os.Args[0], "--listen", "127.0.0.1:0", "--data-dir", dir)
	cmd.Env = append(os.Environ(), "SCHOOL_TEST_PROGRAM=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	output, welcomed := readWelcome(out)
	require.True(t, welcomed, "the program prints %s", output)
	pidFile, err := os.ReadFile(filepath.Join(dir, clusterDir, "data", "postmaster.pid"))
	require.NoError(t, err)
	pid, _, _ := strings.Cut(string(pidFile), "\n")
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
	p := startLocal(t, "--data-dir", dir)
	expectSchools(t, p.port)
	eventually(t, "the end of PostgreSQL, process "+pid+", whose program was killed", func() bool {
		_, err := os.Stat("/proc/" + pid)
		return errors.Is(err, os.ErrNotExist)
	})
	require.NoError(t, p.stop())
}
