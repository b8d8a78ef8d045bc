package localpg_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/localpg"
)

// TestMain lets the test binary be the parent that a test kills.
func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv("LOCALPG_TEST_PARENT"); ok {
		server, err := localpg.Start(context.Background(), localpg.Config{DataDir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(server.Dir(), server.URL("postgres", "postgres"))
		select {} // until killed
	}
	os.Exit(m.Run())
}

func TestThrowaway(t *testing.T) {
	t.Parallel()
	s := start(t, localpg.Config{Settings: map[string]string{"work_mem": "5MB"}})
	for _, url := range []string{s.URL("postgres", "postgres"), s.TCPURL("postgres")} {
		if got := ask(t, url, "select current_user || ' ' || current_setting('work_mem')"); got != "postgres 5MB" {
			t.Errorf("%s: got %q", url, got)
		}
	}
	if _, err := pgx.Connect(t.Context(), strings.Replace(s.TCPURL("postgres"), ":"+password(t, s)+"@", ":wrong@", 1)); err == nil {
		t.Error("TCP lets a wrong password in")
	}
	if got := ask(t, s.URL("postgres", "postgres"), "select current_setting('server_version_num')::int / 10000 || ''"); got != fmt.Sprint(s.Version()) {
		t.Errorf("server says version %s, Version %d", got, s.Version())
	}
	check(t, s.Stop(t.Context()))
	check(t, s.Stop(t.Context()))
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory after Stop: %v", err)
	}
	<-s.Done()
}

func TestKeptClusterFindsItsData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t), "deep", "down")
	s := start(t, localpg.Config{DataDir: dir})
	ask(t, s.URL("postgres", "postgres"), "create table t as select 'kept' as c; select ''")
	before := s.TCPURL("postgres")
	running, err := localpg.Find(dir)
	check(t, err)
	if url := running.URL("postgres", "postgres"); url != s.URL("postgres", "postgres") {
		t.Errorf("found at %s", url)
	}
	if _, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir}); !errors.Is(err, localpg.ErrInUse) {
		t.Errorf("second start while in use: %v", err)
	}
	check(t, s.Stop(t.Context()))
	if _, err := localpg.Find(dir); !errors.Is(err, localpg.ErrNotRunning) {
		t.Errorf("after Stop: %v", err)
	}
	s = start(t, localpg.Config{DataDir: dir})
	if got := ask(t, s.TCPURL("postgres"), "select c from t"); got != "kept" {
		t.Errorf("got %q", got)
	}
	if password(t, s) == "" || !strings.Contains(before, password(t, s)) {
		t.Error("the password has changed")
	}
}

// Directories as people name them, each of which a setting, a URL, a list of hosts or a shell could
// misread. The cluster is made in the first, and moves on.
func TestDataDirectoriesOfAnyName(t *testing.T) {
	t.Parallel()
	parent := tempDir(t)
	last := filepath.Join(parent, "none")
	check(t, os.Mkdir(last, 0o755))
	for _, name := range []string{`a space, it's "quoted"`, `plus+and&50%-schön-日本\[*?]#`, strings.Repeat("deep", 30)} {
		dir := filepath.Join(parent, name, "data")
		check(t, os.Rename(last, filepath.Dir(dir)))
		last = filepath.Dir(dir)
		s, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := ask(t, s.URL("postgres", "postgres"), "select current_setting('data_directory')"); got != filepath.Join(dir, "data") {
			t.Errorf("%s: the server's data is in %s", name, got)
		}
		if running, err := localpg.Find(dir); err != nil || running.URL("u", "d") != s.URL("u", "d") {
			t.Errorf("%s: found %v, %v", name, running, err)
		}
		if strings.Trim(s.URL("u", "d"), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/:@?=&") != "" {
			t.Errorf("%s: a shell or psql can misread %s", name, s.URL("u", "d"))
		}
		socket := strings.TrimPrefix(strings.Split(s.URL("u", "d"), "&")[0], "postgres://u@/d?host=")
		check(t, s.Stop(t.Context()))
		if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) && socket != filepath.Join(dir, "run") {
			t.Errorf("%s: the directory of the socket, %s, is still there: %v", name, socket, err)
		}
	}
}

// The current directory belongs to the whole process, so that a relative path is one from there.
func TestARelativeDataDirectory(t *testing.T) {
	t.Parallel()
	wd, err := os.Getwd()
	check(t, err)
	relative, err := filepath.Rel(wd, filepath.Join(tempDir(t), "rel data"))
	check(t, err)
	s := start(t, localpg.Config{DataDir: relative})
	if !filepath.IsAbs(s.Dir()) {
		t.Errorf("the directory is %s", s.Dir())
	}
	ask(t, s.URL("postgres", "postgres"), "select ''")
	_, err = localpg.Find(relative)
	check(t, err)
}

// A server that listens elsewhere than it was told: it is ready, and cannot be reached.
func TestAServerThatDoesNotAnswerEndsTheWait(t *testing.T) {
	t.Parallel()
	cfg := localpg.Config{Settings: map[string]string{"unix_socket_directories": ""}}
	_, err := localpg.Start(t.Context(), localpg.WithTimeouts(cfg, 0, 100*time.Millisecond))
	if err == nil || !strings.Contains(err.Error(), "does not answer within 100ms") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestDirectoryOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	check(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("mine"), 0o644))
	_, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir})
	if !errors.Is(err, localpg.ErrNotOurs) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the directory now holds %v", entries)
	}
}

func TestDirectoryThatTheServerCannotEnter(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root runs the server as another user")
	}
	closed := filepath.Join(tempDir(t), "closed")
	check(t, os.Mkdir(closed, 0o700))
	_, err := localpg.Start(t.Context(), localpg.Config{DataDir: filepath.Join(closed, "data")})
	if !errors.Is(err, localpg.ErrNotEnterable) || !strings.Contains(err.Error(), closed) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(closed); len(entries) != 0 {
		t.Errorf("something was made: %v", entries)
	}
}

func TestClusterOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	check(t, os.MkdirAll(filepath.Join(dir, "data"), 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "pgtenant.marker"), []byte("kept\n"), 0o644))
	check(t, os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600))
	_, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir})
	if !errors.Is(err, localpg.ErrVersion) {
		t.Errorf("got %v", err)
	}
}

func TestBinariesThatAreOrderedAndNotThere(t *testing.T) {
	t.Parallel()
	_, err := localpg.Start(t.Context(), localpg.Config{BinDir: "/nowhere/bin"})
	var none *localpg.NoBinariesError
	if !errors.As(err, &none) || len(none.Places) != 1 || !strings.Contains(err.Error(), "/nowhere/bin") {
		t.Errorf("got %v", err)
	}
}

func TestSettingThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	_, err := localpg.Start(t.Context(), localpg.Config{Settings: map[string]string{"work_mem": "much"}})
	if err == nil || !strings.Contains(err.Error(), "work_mem") {
		t.Errorf("the error does not have the server's log: %v", err)
	}
	_, err = localpg.Start(t.Context(), localpg.Config{Settings: map[string]string{"a = b": "c"}})
	if err == nil {
		t.Error("a bad name was let through")
	}
}

// The parent is killed as nothing can catch; its server must not outlive it.
func TestServerDiesWithItsParent(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("only Linux ends a process with its parent")
	}
	for name, dir := range map[string]string{"kept": filepath.Join(tempDir(t), "data"), "throw-away": ""} {
		parent := exec.Command(os.Args[0])
		parent.Env = append(os.Environ(), "LOCALPG_TEST_PARENT="+dir)
		out, err := parent.StdoutPipe()
		check(t, err)
		check(t, parent.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		check(t, err)
		serverDir, url, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found {
			t.Fatalf("%s: the parent says %q", name, line)
		}
		pid := ask(t, url, "select pg_postmaster_pid from (select split_part(pg_read_file('postmaster.pid'), e'\\n', 1) as pg_postmaster_pid) x")
		check(t, parent.Process.Signal(syscall.SIGKILL))
		_ = parent.Wait()

		next := start(t, localpg.Config{DataDir: dir}) // at once: it must wait for the old one
		ask(t, next.URL("postgres", "postgres"), "select ''")
		eventually(t, name+": the server outlives its parent", func() bool {
			_, err := os.Stat("/proc/" + pid)
			return errors.Is(err, os.ErrNotExist)
		})
		check(t, next.Stop(t.Context()))
		if dir == "" {
			start(t, localpg.Config{}) // sweeps
			if _, err := os.Stat(serverDir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the throw-away of a killed process is still there: %v", err)
			}
		}
	}
}

func start(t *testing.T, cfg localpg.Config) *localpg.Server {
	t.Helper()
	s, err := localpg.Start(t.Context(), cfg)
	check(t, err)
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask runs statements and returns what the last one says.
func ask(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	check(t, err)
	defer conn.Close(context.Background())
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	check(t, err)
	return string(results[len(results)-1].Rows[0][0])
}

func password(t *testing.T, s *localpg.Server) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.Dir(), "password"))
	check(t, err)
	return string(content)
}

// tempDir is t.TempDir for a server's user, who cannot enter root's.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-test-*")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	check(t, os.Chmod(dir, 0o755))
	return dir
}

func eventually(t *testing.T, complaint string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(complaint)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
