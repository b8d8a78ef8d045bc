package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

const socketDirPattern = "pgtenant-run-*"

// plainPath matches a path that needs no quoting in a shell, in the setting
// unix_socket_directories, or in the host of a URL. A comma separates the elements of the last two.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// fitsSocket reports whether a socket can be in dir. The path of a socket may have 107 bytes on
// Linux and 103 on other systems.
func fitsSocket(dir string) bool {
	return filepath.IsAbs(dir) && plainPath.MatchString(dir) && len(dir)+len("/.s.PGSQL.65535") <= 103
}

// makeSocketDir creates the directory of the socket. It is in the cluster's directory. If that path
// is too long or not plain, it is in the temporary directory or in /tmp.
func (c *cluster) makeSocketDir() error {
	if c.socket = c.path("run"); fitsSocket(c.socket) {
		if err := os.MkdirAll(c.socket, 0o700); err != nil {
			return err
		}
		return c.account.chown(c.socket)
	}
	var errs []error
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		dir := filepath.Join(parent, socketDirPattern)
		if !fitsSocket(filepath.Join(parent, "pgtenant-run-0123456789")) {
			errs = append(errs, fmt.Errorf("%s: its path is too long or not plain", parent))
			continue
		}
		if err := c.account.checkEnter(dir); err != nil {
			errs = append(errs, err)
			continue
		}
		made, err := os.MkdirTemp(parent, socketDirPattern) // mode 0700
		if err == nil {
			c.socket = made
			return c.account.chown(made)
		}
		errs = append(errs, err)
	}
	c.socket = ""
	return fmt.Errorf("no directory for the server's socket: %w", errors.Join(errs...))
}

// sweepSocketDirs removes the empty socket directories that killed processes have left in the
// temporary directory. It keeps those that are less than an hour old, because a process may be
// about to start a server there.
func sweepSocketDirs(acct account) {
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		dirs, _ := filepath.Glob(filepath.Join(parent, socketDirPattern)) // fitsSocket allows no parent with [
		for _, dir := range dirs {
			info, err := os.Lstat(dir)
			if err == nil && info.IsDir() && acct.owns(info) && time.Since(info.ModTime()) > time.Hour {
				_ = os.Remove(dir) // fails if the directory holds a socket
			}
		}
	}
}
