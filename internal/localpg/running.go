package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNotRunning is returned by [Find] where nothing serves the directory, or nothing yet.
var ErrNotRunning = errors.New("no PostgreSQL is running there")

// Running is a server that another process has started, and stops. It is safe for concurrent use.
type Running struct {
	socket string
	port   int
}

// Find returns the server that another process has on a kept directory, [Config].DataDir. Who may
// use its socket is told at [Server.URL].
func Find(dataDir string) (*Running, error) {
	content, err := os.ReadFile(filepath.Join(dataDir, "data", "postmaster.pid"))
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dataDir, ErrNotRunning)
	}
	// PostgreSQL's miscadmin.h says which line is what: 4 the port, 5 the socket's directory, 8 the
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

// URL returns what [Server.URL] returns.
func (r *Running) URL(user, database string) string {
	return socketURL(r.socket, r.port, user, database)
}
