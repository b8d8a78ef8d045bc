package redislimit_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/testprocess"
)

// server is a Redis for one test, on a socket in a private directory.
type server struct {
	binary, dir string
	process     *os.Process
	stopped     <-chan struct{}
}

// binary returns the path of redis-server. Without it, it skips the test, or fails it if CI is set.
func binary(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err == nil {
		return path
	}
	const why = "redis-server is not installed: nothing is tried on a real Redis (Debian: apt install redis-server)"
	require.Empty(t, os.Getenv("CI"), why)
	t.Skip(why)
	return ""
}

// startRedis starts a server that ends with the test.
func startRedis(t testing.TB) *server {
	t.Helper()
	s := &server{binary: binary(t)}
	var err error
	s.dir, err = os.MkdirTemp("", "pgtenant-redis-*") // the path of t.TempDir may be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(s.dir)) })
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func (s *server) socket() string { return filepath.Join(s.dir, "s") }

// start starts the process and waits until it answers.
func (s *server) start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(s.binary, "--port", "0", "--unixsocket", s.socket(), "--save", "", "--appendonly", "no",
		"--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"), "--maxmemory-policy", "noeviction")
	s.stopped = testprocess.Start(t, cmd, s.dir)
	s.process = cmd.Process
	admin := s.client(t, &redis.Options{})
	until(t, "Redis answers", func() bool { return admin.Ping(context.Background()).Err() == nil })
}

// kill ends the process as a crash does, also while it is stopped.
func (s *server) kill() {
	_ = s.process.Kill() // it may have ended already
	<-s.stopped
}

func (s *server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, s.process.Signal(sig))
}

// client returns a client that respects contexts and is closed after the test.
func (s *server) client(t testing.TB, o *redis.Options) *redis.Client {
	t.Helper()
	o.Network, o.Addr, o.ContextTimeoutEnabled = "unix", s.socket(), true
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() }) // its server may be gone
	return c
}

// do runs a command as the administrator.
func (s *server) do(t testing.TB, command string) {
	t.Helper()
	words := strings.Fields(command)
	args := make([]any, len(words))
	for i, w := range words {
		args[i] = strings.Trim(w, `"`)
	}
	require.NoError(t, s.client(t, &redis.Options{}).Do(t.Context(), args...).Err())
}

// until waits until so returns true, for at most a minute.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "a minute is over, but not: %s", what)
	}
}
