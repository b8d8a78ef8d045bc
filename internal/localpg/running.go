package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNotRunning is returned by [Find] if the directory has no postmaster.pid that can be read, or
// one that does not say that the server is ready.
var ErrNotRunning = errors.New("no PostgreSQL is running there")

// Running is a server of another process, which has started it and stops it. It is safe for
// concurrent use.
type Running struct {
	socket string
	port   int
}

// Find returns the server that another process runs on a kept directory, which is the
// [Config].DataDir of that process. It reads the server's postmaster.pid and does not connect:
// after a crash the file may describe a server that has ended. The error is [ErrNotRunning], or
// that of a file with an invalid port.
func Find(dataDir string) (*Running, error) {
	content, err := os.ReadFile(filepath.Join(dataDir, "data", "postmaster.pid"))
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dataDir, ErrNotRunning)
	}
	// PostgreSQL's miscadmin.h defines the lines: 4 is the port, 5 the directory of the socket, 8 the
	// status.
	lines := strings.Split(string(content), "\n")
	if len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" {
		return nil, fmt.Errorf("data directory %s: %w", dataDir, ErrNotRunning)
	}
	port, err := strconv.Atoi(lines[3])
	if err != nil {
		return nil, fmt.Errorf("data directory %s: port in postmaster.pid: %w", dataDir, err)
	}
	return &Running{socket: lines[4], port: port}, nil
}

// URL returns the URL of a login and database over the server's socket, as [Server.URL] does.
func (r *Running) URL(user, database string) string {
	return socketURL(r.socket, r.port, user, database)
}
