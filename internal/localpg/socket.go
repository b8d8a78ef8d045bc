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

// plainPath is a path that means itself in the setting unix_socket_directories, in the host of a URL, both of which
// are lists with commas, and in a shell's single quotes.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// fitsSocket reports whether a socket can be in dir: the address of one has 107 bytes on Linux, 103 elsewhere.
func fitsSocket(dir string) bool {
	return filepath.IsAbs(dir) && plainPath.MatchString(dir) && len(dir)+len("/.s.PGSQL.65535") <= 103
}

// makeSocketDir makes the directory of the socket: in the cluster's, or, where the path of that is too long or not
// plain, in the temporary directory, or in /tmp.
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

// sweepSocketDirs removes those that killed processes have left in the temporary directory: empty ones of ours, of an
// hour ago at least, as another process may have made one for the server that it is about to start.
func sweepSocketDirs(acct account) {
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		dirs, _ := filepath.Glob(filepath.Join(parent, socketDirPattern)) // a parent with [ in its name has none of ours
		for _, dir := range dirs {
			info, err := os.Lstat(dir)
			if err == nil && info.IsDir() && acct.owns(info) && time.Since(info.ModTime()) > time.Hour {
				_ = os.Remove(dir) // which removes no directory that holds a socket
			}
		}
	}
}
