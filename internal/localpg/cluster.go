package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cluster is a directory that this package created. It holds
//
//	pgtenant.marker  marks the directory as this package's, and says whether it is kept
//	lock             locked while a process uses the directory
//	password         of the superuser, mode 0600
//	data             the data directory of PostgreSQL; created as data.new and renamed when complete
//	run              the socket, see makeSocketDir
//	server.log
type cluster struct {
	dir     string
	kept    bool
	account account
	lock    *os.File
	socket  string // the directory of the socket
}

const (
	markerFile = "pgtenant.marker"
	markKept   = "kept\n"
	markThrow  = "throw-away\n"
)

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// openThrowaway creates a new directory in the temporary directory.
func openThrowaway(acct account) (*cluster, error) {
	dir, err := os.MkdirTemp("", throwawayPattern)
	if err == nil {
		dir, err = filepath.Abs(dir) // TMPDIR may be relative
	}
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, account: acct}
	err = acct.checkEnter(dir)
	if err == nil {
		err = c.claim(markThrow)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

// openKept opens the directory of a kept cluster, and creates it if it does not exist.
func openKept(dir string, acct account) (*cluster, error) {
	if err := acct.checkEnter(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	mark, err := os.ReadFile(filepath.Join(dir, markerFile))
	if len(entries) > 0 && (err != nil || string(mark) != markKept) {
		return nil, fmt.Errorf(
			"data directory %s: %w: it holds other files; name an empty or a new directory",
			dir,
			ErrForeignDirectory,
		)
	}
	c := &cluster{dir: dir, kept: true, account: acct}
	if err := c.claim(markKept); err != nil {
		return nil, err
	}
	return c, nil
}

// claim takes the lock before it writes the marker, so a directory with a marker whose lock is free
// is not in use. The directory and its contents belong to the server's user.
func (c *cluster) claim(mark string) error {
	lock, err := os.OpenFile(c.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := lockFile(lock); err != nil {
		lock.Close()
		return fmt.Errorf("data directory %s: %w", c.dir, ErrInUse)
	}
	c.lock = lock
	if err := c.fill(mark); err != nil {
		lock.Close()
		return err
	}
	return nil
}

func (c *cluster) fill(mark string) error {
	if err := c.account.chown(c.dir); err != nil {
		return err
	}
	if err := os.WriteFile(c.path(markerFile), []byte(mark), 0o644); err != nil {
		return err
	}
	if err := c.makeSocketDir(); err != nil {
		return err
	}
	return c.writePassword()
}

// writePassword creates the superuser's password if there is none yet.
func (c *cluster) writePassword() error {
	path := c.path("password")
	if content, err := os.ReadFile(path); err == nil && len(content) > 0 {
		return nil
	}
	if err := os.WriteFile(path, []byte(rand.Text()), 0o600); err != nil {
		return err
	}
	return c.account.chown(path)
}

func (c *cluster) password() (string, error) {
	content, err := os.ReadFile(c.path("password"))
	return strings.TrimSpace(string(content)), err
}

// major returns the version of the cluster, or 0 if there is no cluster yet.
func (c *cluster) major() (int, error) {
	content, err := os.ReadFile(c.path("data/PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(content)))
}

// init creates the cluster with the given binaries. If it fails, the data directory does not exist.
func (c *cluster) init(ctx context.Context, b binaries) error {
	fresh := c.path("data.new")
	var out []byte
	var err error
	for _, locale := range []string{"C.UTF-8", "C"} { // not every system has C.UTF-8
		if err := os.RemoveAll(fresh); err != nil {
			return err
		}
		args := []string{
			"-D", fresh, "-U", superuser, "-E", "UTF8", "--locale=" + locale,
			"--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=" + c.path("password"),
		}
		if !c.kept {
			args = append(args, "--no-sync")
		}
		cmd := c.command(ctx, b.path("initdb"), args...)
		if out, err = cmd.CombinedOutput(); err == nil {
			break
		}
		if !strings.Contains(string(out), "locale") {
			break
		}
	}
	if err != nil {
		if strings.Contains(string(out), "No space left") || strings.Contains(string(out), "free disk space") {
			return fmt.Errorf("%w: %s; initdb says: %s", ErrDiskFull, c.dir, lastLines(string(out), 5))
		}
		return fmt.Errorf("initdb: %w: %s", err, lastLines(string(out), 5))
	}
	if err := os.WriteFile(filepath.Join(fresh, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	if err := c.account.chown(filepath.Join(fresh, "pg_hba.conf")); err != nil {
		return err
	}
	return os.Rename(fresh, c.path("data"))
}

// hba trusts connections over the socket. Only the server's user and root can enter the directory
// of the socket, and they can read the data files anyway. TCP needs a password, because every user
// of the machine can connect.
const hba = `# TYPE  DATABASE  USER  ADDRESS       METHOD
local   all       all                 trust
host    all       all   127.0.0.1/32  scram-sha-256
`

func (c *cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.dir // the server's user may not enter the current directory
	cmd.Env = environment()
	cmd.SysProcAttr = c.account.sysProcAttr(c.kept)
	return cmd
}

// waitForPrevious waits until the server that an earlier, killed process has started is shut down.
func (c *cluster) waitForPrevious(ctx context.Context) error {
	for {
		p, err := readPostmaster(c.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("data directory %s: %w", c.dir, err)
		}
		if !p.alive() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("data directory %s: %w: PostgreSQL, process %d, still runs", c.dir, ErrInUse, p.pid)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ready reports whether the server accepts connections.
func (c *cluster) ready() bool {
	p, err := readPostmaster(c.dir)
	return err == nil && p.ready
}

// log returns the end of the server's log.
func (c *cluster) log() string {
	content, err := os.ReadFile(c.path("server.log"))
	if err != nil {
		return "no log"
	}
	return lastLines(string(content), 8)
}

// close releases the lock, and removes the directory unless it is kept.
func (c *cluster) close() error {
	var err error
	if c.socket != "" && c.socket != c.path("run") {
		err = os.RemoveAll(c.socket)
	}
	if !c.kept {
		err = errors.Join(err, os.RemoveAll(c.dir))
	}
	return errors.Join(err, c.lock.Close())
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
