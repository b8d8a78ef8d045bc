package localpg

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

const throwawayPattern = "pgtenant-pg-*"

// sweep removes the directories of throw-away servers whose process was killed before it could
// remove them. It touches a directory only if it has such a name, belongs to this user or the
// server's user, and has this package's marker and a lock that is free.
func sweep(acct account, logger *slog.Logger) {
	sweepSocketDirs(acct)
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), throwawayPattern)) // the pattern is valid
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || !acct.owns(info) {
			continue
		}
		mark, err := os.ReadFile(filepath.Join(dir, markerFile))
		if err != nil || string(mark) != markThrow {
			continue
		}
		c := &cluster{dir: dir, socket: filepath.Join(dir, "run")}
		c.lock, err = os.OpenFile(c.path("lock"), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		p, err := readPostmaster(dir)
		unknown := err != nil && !errors.Is(err, fs.ErrNotExist) // a server may run there
		if lockFile(c.lock) != nil || unknown || p.alive() {
			c.lock.Close()
			continue
		}
		if err := c.close(); err != nil {
			logger.Warn("stale server not removed", slog.String("dir", dir), slog.Any("error", err))
		}
	}
}
