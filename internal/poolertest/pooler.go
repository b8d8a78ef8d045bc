package poolertest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/testprocess"
)

// Binary returns the path of pgbouncer. If pgbouncer is not installed, Binary skips t, or fails t
// if CI is set.
func Binary(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} { // /usr/sbin may not be on the path
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const why = "pgbouncer is not installed: nothing is tried through a pooler (Debian: apt install pgbouncer)"
	if os.Getenv("CI") != "" {
		require.Fail(t, "no PgBouncer", why)
	}
	t.Skip(why)
	return ""
}

// Start starts a PgBouncer in transaction mode for the login and the database of the URL server. It
// has conns server connections for all clients. settings are further lines of its configuration.
// Start returns the URL of the database through PgBouncer. PgBouncer ends with the test. If
// pgbouncer is not installed, Start skips or fails t as [Binary] does.
func Start(t testing.TB, server string, conns int, settings ...string) string {
	t.Helper()
	binary := Binary(t)
	cfg, err := pgx.ParseConfig(server)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "pgtenant-pgbouncer-*")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	port := freePort(t)
	log := filepath.Join(dir, "log")
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
`, cfg.Host, cfg.Port, cfg.Database, conns, port, filepath.Join(dir, "users"), log, strings.Join(settings, "\n")),
	}
	for name, content := range files {
		// Other users cannot enter the directory.
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	cmd := exec.Command(binary, "--quiet", filepath.Join(dir, "ini"))
	stopped := testprocess.Start(t, cmd, dir)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // PgBouncer has no state to save
		<-stopped
	})
	through := url.URL{
		Scheme: "postgres", User: url.UserPassword(cfg.User, cfg.Password), Path: "/pooled",
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		RawQuery: "sslmode=disable&default_query_exec_mode=exec", // clients share connections, so no named statements
	}
	wait(t, through.String(), log, stopped)
	return through.String()
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// wait returns when a connection through PgBouncer works. It fails t after a minute or if PgBouncer
// ends.
func wait(t testing.TB, url, log string, stopped <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			require.NoError(t, conn.Close(ctx))
			return
		}
		select {
		case <-stopped:
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
			continue
		}
		said, _ := os.ReadFile(log)
		require.NoError(t, err, "PgBouncer does not answer\n%s", said)
	}
}
