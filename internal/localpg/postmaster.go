package localpg

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// postmaster is what a server writes into postmaster.pid of its data directory. A server that was
// killed leaves the file, so a reader has to check that the process is alive.
type postmaster struct {
	pid    int
	port   int    // 0 until ready
	socket string // its directory; "" until ready
	ready  bool   // the server accepts connections
}

// readPostmaster reads the postmaster.pid of a directory of this package. The error is
// [os.ErrNotExist] if the directory has none. A server completes the file while it starts, so only
// the file of a ready server must be complete. PostgreSQL's pidfile.h defines the lines: 1 is the
// process ID, 4 the port, 5 the directory of the socket, 8 the status.
func readPostmaster(dir string) (postmaster, error) {
	content, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return postmaster{}, err
	}
	lines := strings.Split(string(content), "\n")
	var p postmaster
	if lines[0] != "" { // the server has created the file and not written it yet
		if p.pid, err = strconv.Atoi(strings.TrimSpace(lines[0])); err != nil {
			return postmaster{}, fmt.Errorf("process ID in postmaster.pid: %w", err)
		}
	}
	if len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" {
		return p, nil
	}
	p.socket, p.ready = lines[4], true
	if p.port, err = strconv.Atoi(lines[3]); err != nil {
		return postmaster{}, fmt.Errorf("port in postmaster.pid: %w", err)
	}
	return p, nil
}

// alive reports whether the process exists.
func (p postmaster) alive() bool { return p.pid > 0 && alive(p.pid) }
