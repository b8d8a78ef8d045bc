package migrate_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
)

// Behind a pooler in transaction mode each transaction may be on another connection: a lock of a session, a prepared statement or a
// setting would be somebody else's.
func TestFleetThroughAPoolerInTransactionMode(t *testing.T) {
	t.Parallel()
	f := fleet(t, 24)
	through := startPgBouncer(t, f.pg.URL, 3)
	var wg sync.WaitGroup
	var migrated atomic.Int32
	for i := range 3 {
		pool, err := pgxpool.New(t.Context(), through)
		check(t, err)
		defer pool.Close()
		r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", basic)}, Lock: migrate.LockTable})
		check(t, err)
		wg.Go(func() {
			report, err := r.UpAll(t.Context(), migrate.Schemas(names(24)...), migrate.UpAllOptions{PerTransaction: 1 + 3*i})
			if err != nil || report.Current+report.Count(migrate.Migrated) != 24 {
				t.Errorf("%v %v", err, outcomes(report))
			}
			migrated.Add(int32(report.Count(migrate.Migrated)))
		})
	}
	wg.Wait()
	if n := f.at(t, 24); n != 24 || migrated.Load() != 24 {
		t.Errorf("%d schemas are migrated, %d times in all", n, migrated.Load())
	}
	pool, err := pgxpool.New(t.Context(), through)
	check(t, err)
	defer pool.Close()
	cfg := migrate.Config{Tenant: []migrate.Source{source("app", basic)}, Lock: migrate.LockTable}
	r, err := migrate.New(pool, cfg)
	check(t, err)
	f.exec(t, "create schema tenant_25")
	check(t, r.Migrate(t.Context(), "tenant_25"))
	status, err := r.Status(t.Context(), "tenant_25")
	check(t, err)
	if len(status.Versions(migrate.Applied)) != 2 {
		t.Errorf("status %+v", status)
	}
	for range 6 { // whichever connections these are
		var path, timeout string
		var prepared, locks int
		check(t, pool.QueryRow(t.Context(), `select current_setting('search_path'), current_setting('lock_timeout'),
			(select count(*) from pg_prepared_statements), (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())`).
			Scan(&path, &timeout, &prepared, &locks))
		if path != `"$user", public` || timeout != "0" || prepared != 0 || locks != 0 {
			t.Errorf("a connection was left with path %s, lock timeout %s, %d statements, %d locks", path, timeout, prepared, locks)
		}
	}
}

// startPgBouncer starts a PgBouncer in transaction mode with so many connections for the login and the database of a server's URL,
// and returns the URL of the same through it. It ends with the test, which is skipped where there is none, or fails where CI
// is set.
func startPgBouncer(t *testing.T, server string, conns int) string {
	t.Helper()
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		binary, err = exec.LookPath("/usr/sbin/pgbouncer") // not on everybody's path
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("pgbouncer is not installed (Debian: apt install pgbouncer)")
	}
	cfg, err := pgx.ParseConfig(server)
	check(t, err)
	dir, err := os.MkdirTemp("", "pgtenant-pgbouncer-*")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	check(t, l.Close())
	users, ini := filepath.Join(dir, "users"), filepath.Join(dir, "ini")
	check(t, os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", cfg.User, cfg.Password), 0o644)) // in a directory that others cannot enter
	check(t, os.WriteFile(ini, fmt.Appendf(nil, `[databases]
pooled = host=%s port=%d dbname=%s pool_size=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
server_tls_sslmode = prefer
`, cfg.Host, cfg.Port, cfg.Database, conns, port, users), 0o644))
	cmd := exec.Command(binary, "--quiet", ini)
	cmd.Dir, cmd.SysProcAttr = dir, unprivileged(t, dir)
	started, stopped := make(chan error), make(chan struct{})
	go func() { // on a thread that lives as long: the kernel ends a child with the thread that started it
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(stopped)
		err := cmd.Start()
		if started <- err; err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	check(t, <-started)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to save
		<-stopped
	})
	through := url.URL{
		Scheme: "postgres", User: url.UserPassword(cfg.User, cfg.Password), Path: "/pooled",
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), RawQuery: "sslmode=disable&default_query_exec_mode=exec",
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, through.String())
		if err == nil {
			check(t, conn.Close(ctx))
			return through.String()
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-stopped:
			t.Fatal("pgbouncer has ended")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// unprivileged returns what lets a process run as a user without rights, and gives dir to that user: PgBouncer does not run as
// root. It ends with the thread that starts it.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return attr
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		check(t, err)
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		check(t, err)
		check(t, os.Chown(dir, int(uid), int(gid)))
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr
	}
	t.Fatal("PgBouncer does not run as root, and there is no user postgres or nobody to run it as")
	return nil
}
