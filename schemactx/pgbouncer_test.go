package schemactx_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// preparePooler skips or fails where there is no PgBouncer.
func preparePooler(t *testing.T, _ *world) { pgbouncerBinary(t) }

// openPooler starts a PgBouncer of its own, with so many server connections for all clients:
// what an attack has left on one must not be met by the next attack. Each tenant is served by a
// DB of its own, as by two processes: none knows what the other has done to a connection.
func openPooler(t *testing.T, w *world, conns int32) func(context.Context) *schemactx.DB {
	return openThrough(t, w, conns)
}

// openResettingPooler is openPooler with what ATTACKS.md advises.
func openResettingPooler(t *testing.T, w *world, conns int32) func(context.Context) *schemactx.DB {
	return openThrough(t, w, conns, "server_reset_query_always = 1")
}

func openThrough(t *testing.T, w *world, conns int32, settings ...string) func(context.Context) *schemactx.DB {
	t.Helper()
	url := startPgBouncer(t, w.pg.URLAs(w.roles.Runtime(), runtimePassword), conns, settings...)
	b := w.single(t, url, conns, schemactx.Config{})
	others := w.single(t, url, conns, schemactx.Config{})
	return func(ctx context.Context) *schemactx.DB {
		if schema, _ := schemactx.FromContext(ctx); schema == "tenant_b" {
			return b(ctx)
		}
		return others(ctx)
	}
}

// pgbouncerBinary returns the path of pgbouncer, or skips t. It fails it where CI is set.
func pgbouncerBinary(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} { // sbin is not on everybody's path
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const why = "pgbouncer is not installed: nothing is tried through a pooler (Debian: apt install pgbouncer)"
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// startPgBouncer starts a PgBouncer in transaction mode for the login and the database of a
// server's URL, and returns the URL of the same through it. settings are lines of its configuration. It ends with the test.
func startPgBouncer(t *testing.T, server string, conns int32, settings ...string) string {
	t.Helper()
	binary := pgbouncerBinary(t)
	cfg, err := pgx.ParseConfig(server)
	check(t, err)
	dir, err := os.MkdirTemp("", "pgtenant-pgbouncer-*")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	port := freePort(t)
	files := map[string]string{
		"users": fmt.Sprintf("%q %q\n", cfg.User, cfg.Password),
		"ini": fmt.Sprintf(`[databases]
pooled = host=%s port=%d dbname=%s pool_size=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
server_tls_sslmode = prefer
logfile = %s
%s
`, cfg.Host, cfg.Port, cfg.Database, conns, port, filepath.Join(dir, "users"), filepath.Join(dir, "log"), strings.Join(settings, "\n")),
	}
	for name, content := range files {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)) // in a directory that others cannot enter
	}
	cmd := exec.Command(binary, "--quiet", filepath.Join(dir, "ini"))
	cmd.Dir = dir
	cmd.SysProcAttr = unprivileged(t, dir)
	stopped := startWithThread(t, cmd)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to save
		<-stopped
	})
	through := url.URL{
		Scheme: "postgres", User: url.UserPassword(cfg.User, cfg.Password), Path: "/pooled",
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), RawQuery: "sslmode=disable&default_query_exec_mode=exec", // no named statements: they would meet,
	}
	waitForPgBouncer(t, through.String(), filepath.Join(dir, "log"), stopped)
	return through.String()
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startWithThread starts cmd on a thread that lives as long as the process does: the kernel
// ends a child with the thread that started it. The channel is closed when it has ended.
func startWithThread(t *testing.T, cmd *exec.Cmd) <-chan struct{} {
	t.Helper()
	started, stopped := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
		close(stopped)
	}()
	check(t, <-started)
	return stopped
}

// waitForPgBouncer returns when a connection through it answers.
func waitForPgBouncer(t *testing.T, url, log string, stopped <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			check(t, conn.Close(ctx))
			return
		}
		select {
		case <-stopped:
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
			continue
		}
		said, _ := os.ReadFile(log)
		t.Fatal(errors.Join(fmt.Errorf("PgBouncer does not answer: %w", err), errors.New(strings.TrimSpace(string(said)))))
	}
}

// The fixture itself: all clients share one server connection, and the engine works on it.
func TestPgBouncerSharesOneConnection(t *testing.T) {
	t.Parallel()
	pgbouncerBinary(t)
	f := setup(t)
	url := startPgBouncer(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
	pids := map[int]bool{}
	for range 3 {
		db, err := schemactx.New(openPool(t, url, 1), schemactx.Config{Roles: f.roles})
		check(t, err)
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			body, pid, err := note(in(t, schema), db)
			check(t, err)
			if body != schema {
				t.Errorf("in %s: read the note of %s", schema, body)
			}
			pids[pid] = true
		}
	}
	if len(pids) != 1 {
		t.Errorf("%d backends served three clients, want one", len(pids))
	}
}

// What ATTACKS.md advises: with this setting, nothing that one client's statement did to the
// pooler's connection reaches the next client.
func TestPgBouncerThatResetsItsConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &column{
		name: "PgBouncer that resets", level: schemactx.Roles, shared: true, hardened: true,
		prepare: preparePooler, open: openResettingPooler,
	})
	tried := 0
	for i := range attacks {
		if attacks[i].reset {
			tried++
			if got := w.attack(t, &attacks[i]); got == leaks {
				t.Errorf("%d %s: %s", attacks[i].row, attacks[i].title, got)
			}
		}
	}
	if tried == 0 {
		t.Error("no attack is said to be stopped by it")
	}
}
