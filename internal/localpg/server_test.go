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
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
)

// TestMain makes the test binary a server's parent process if LOCALPG_TEST_PARENT is set. A test
// kills that process.
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
		assert.Equal(t, "postgres 5MB", ask(t, url, "select current_user || ' ' || current_setting('work_mem')"), url)
	}
	_, err := pgx.Connect(t.Context(), strings.Replace(s.TCPURL("postgres"), ":"+password(t, s)+"@", ":wrong@", 1))
	assert.Error(t, err, "TCP lets a wrong password in")
	got := ask(t, s.URL("postgres", "postgres"), "select current_setting('server_version_num')::int / 10000 || ''")
	assert.Equal(t, fmt.Sprint(s.Version()), got, "server says version %s, Version %d", got, s.Version())
	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, s.Stop(t.Context()))
	_, err = os.Stat(s.Dir())
	assert.ErrorIs(t, err, os.ErrNotExist, "directory after Stop")
	<-s.Done()
}

func TestKeptClusterFindsItsData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t), "deep", "down")
	s := start(t, localpg.Config{DataDir: dir})
	ask(t, s.URL("postgres", "postgres"), "create table t as select 'kept' as c; select ''")
	before := s.TCPURL("postgres")
	running, err := localpg.Find(dir)
	require.NoError(t, err)
	url := running.URL("postgres", "postgres")
	assert.Equal(t, s.URL("postgres", "postgres"), url, "found at %s", url)
	_, err = localpg.Start(t.Context(), localpg.Config{DataDir: dir})
	assert.ErrorIs(t, err, localpg.ErrInUse, "second start while in use")
	require.NoError(t, s.Stop(t.Context()))
	_, err = localpg.Find(dir)
	assert.ErrorIs(t, err, localpg.ErrNotRunning, "after Stop")
	s = start(t, localpg.Config{DataDir: dir})
	assert.Equal(t, "kept", ask(t, s.TCPURL("postgres"), "select c from t"))
	if assert.NotEmpty(t, password(t, s), "the password has changed") {
		assert.Contains(t, before, password(t, s), "the password has changed")
	}
}

// The names of the directories need quoting in a setting, a URL, a list of hosts or a shell. The
// cluster is created in the first directory and then moved to the others.
func TestDataDirectoriesOfAnyName(t *testing.T) {
	t.Parallel()
	parent := tempDir(t)
	last := filepath.Join(parent, "none")
	require.NoError(t, os.Mkdir(last, 0o755))
	for _, name := range []string{`a space, it's "quoted"`, `plus+and&50%-schön-日本\[*?]#`, strings.Repeat("deep", 30)} {
		dir := filepath.Join(parent, name, "data")
		require.NoError(t, os.Rename(last, filepath.Dir(dir)))
		last = filepath.Dir(dir)
		s, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir})
		require.NoError(t, err, name)
		got := ask(t, s.URL("postgres", "postgres"), "select current_setting('data_directory')")
		assert.Equal(t, filepath.Join(dir, "data"), got, "%s: the server's data is in %s", name, got)
		running, err := localpg.Find(dir)
		if assert.NoError(t, err, "%s: found %v", name, running) {
			assert.Equal(t, s.URL("u", "d"), running.URL("u", "d"), "%s: found %v", name, running)
		}
		if strings.Trim(s.URL("u", "d"), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/:@?=&") != "" {
			t.Errorf("%s: a shell or psql can misread %s", name, s.URL("u", "d"))
		}
		socket := strings.TrimPrefix(strings.Split(s.URL("u", "d"), "&")[0], "postgres://u@/d?host=")
		require.NoError(t, s.Stop(t.Context()))
		_, err = os.Stat(socket)
		assert.True(t, errors.Is(err, os.ErrNotExist) || socket == filepath.Join(dir, "run"),
			"%s: the directory of the socket, %s, is still there: %v", name, socket, err)
	}
}

// The current directory belongs to the whole process, so the test computes a path relative to it.
func TestARelativeDataDirectory(t *testing.T) {
	t.Parallel()
	wd, err := os.Getwd()
	require.NoError(t, err)
	relative, err := filepath.Rel(wd, filepath.Join(tempDir(t), "rel data"))
	require.NoError(t, err)
	s := start(t, localpg.Config{DataDir: relative})
	assert.True(t, filepath.IsAbs(s.Dir()), "the directory is %s", s.Dir())
	ask(t, s.URL("postgres", "postgres"), "select ''")
	_, err = localpg.Find(relative)
	require.NoError(t, err)
}

// The server does not listen on the expected socket, so it is ready but cannot be reached.
func TestAServerThatDoesNotAnswerEndsTheWait(t *testing.T) {
	t.Parallel()
	cfg := localpg.Config{Settings: map[string]string{"unix_socket_directories": ""}}
	_, err := localpg.Start(t.Context(), localpg.WithTimeouts(cfg, 0, 100*time.Millisecond))
	assert.ErrorContains(t, err, "does not answer within 100ms")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestDirectoryOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("mine"), 0o644))
	_, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir})
	assert.ErrorIs(t, err, localpg.ErrForeignDirectory)
	entries, _ := os.ReadDir(dir)
	assert.Len(t, entries, 1, "the directory now holds %v", entries)
}

func TestDirectoryThatTheServerCannotEnter(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root runs the server as another user")
	}
	closed := filepath.Join(tempDir(t), "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	_, err := localpg.Start(t.Context(), localpg.Config{DataDir: filepath.Join(closed, "data")})
	if assert.ErrorIs(t, err, localpg.ErrNotEnterable) {
		assert.Contains(t, err.Error(), closed)
	}
	entries, _ := os.ReadDir(closed)
	assert.Empty(t, entries, "something was made")
}

func TestClusterOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pgtenant.marker"), []byte("kept\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600))
	_, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir})
	assert.ErrorIs(t, err, localpg.ErrVersion)
}

func TestBinariesThatAreOrderedAndNotThere(t *testing.T) {
	t.Parallel()
	_, err := localpg.Start(t.Context(), localpg.Config{BinDir: "/nowhere/bin"})
	var none *localpg.NoBinariesError
	if assert.ErrorAs(t, err, &none) && assert.Len(t, none.Places, 1) {
		assert.Contains(t, err.Error(), "/nowhere/bin")
	}
}

func TestSettingThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	_, err := localpg.Start(t.Context(), localpg.Config{Settings: map[string]string{"work_mem": "much"}})
	assert.ErrorContains(t, err, "work_mem", "the error does not have the server's log")
	_, err = localpg.Start(t.Context(), localpg.Config{Settings: map[string]string{"a = b": "c"}})
	assert.Error(t, err, "a bad name was let through")
}

// The parent is killed by a signal that it cannot catch. Its server must not outlive it.
func TestServerDiesWithItsParent(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("only Linux ends a process with its parent")
	}
	for name, dir := range map[string]string{"kept": filepath.Join(tempDir(t), "data"), "throw-away": ""} {
		parent := exec.Command(os.Args[0])
		parent.Env = append(os.Environ(), "LOCALPG_TEST_PARENT="+dir)
		out, err := parent.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, parent.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		serverDir, url, found := strings.Cut(strings.TrimSpace(line), " ")
		require.True(t, found, "%s: the parent says %q", name, line)
		pid := ask(
			t,
			url,
			"select split_part(pg_read_file('postmaster.pid'), e'\\n', 1)",
		)
		require.NoError(t, parent.Process.Signal(syscall.SIGKILL))
		_ = parent.Wait()

		next := start(t, localpg.Config{DataDir: dir}) // must wait for the old server to end
		ask(t, next.URL("postgres", "postgres"), "select ''")
		eventually(t, name+": the server outlives its parent", func() bool {
			_, err := os.Stat("/proc/" + pid)
			return errors.Is(err, os.ErrNotExist)
		})
		require.NoError(t, next.Stop(t.Context()))
		if dir == "" {
			start(t, localpg.Config{}) // removes the directory
			_, err := os.Stat(serverDir)
			assert.ErrorIs(t, err, os.ErrNotExist, "the throw-away of a killed process is still there")
		}
	}
}

func start(t *testing.T, cfg localpg.Config) *localpg.Server {
	t.Helper()
	s, err := localpg.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, s.Stop(context.Background()))
	})
	return s
}

// ask runs statements and returns the result of the last one.
func ask(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	require.NoError(t, err)
	return string(results[len(results)-1].Rows[0][0])
}

func password(t *testing.T, s *localpg.Server) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.Dir(), "password"))
	require.NoError(t, err)
	return string(content)
}

// tempDir is t.TempDir in a directory that the server's user can enter, if root runs the test.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-test-*")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

func eventually(t *testing.T, complaint string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		require.False(t, time.Now().After(deadline), complaint)
	}
}
