package localpg

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrNotRunning is returned by [Find] if the directory has no postmaster.pid, or one of a server
// that is not ready or has ended.
var ErrNotRunning = errors.New("no PostgreSQL is running there")

// Running is a server of another process, which has started it and stops it. It is safe for
// concurrent use.
type Running struct {
	socket string
	port   int
}

// Find returns the server that another process runs on a kept directory, which is the
// [Config].DataDir of that process. It reads the server's postmaster.pid and checks that the
// process is alive; it does not connect. The error is [ErrNotRunning], or that of a file that
// cannot be read or is malformed.
func Find(dataDir string) (*Running, error) {
	p, err := readPostmaster(dataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("data directory %s: %w", dataDir, ErrNotRunning)
	case err != nil:
		return nil, fmt.Errorf("data directory %s: %w", dataDir, err)
	case !p.ready || !p.alive():
		return nil, fmt.Errorf("data directory %s: %w", dataDir, ErrNotRunning)
	}
	return &Running{socket: p.socket, port: p.port}, nil
}

// URL returns the URL of a login and database over the server's socket, as [Server.URL] does.
func (r *Running) URL(user, database string) string {
	return socketURL(r.socket, r.port, user, database)
}
