package localpg

import (
	"log/slog"
	"os"
	"path/filepath"
)

const throwawayPattern = "pgtenant-pg-*"

// sweep removes throw-aways whose process was killed before it could. It touches only
// directories of the name, owned by us or the server's user, with our marker and a lock
// that nobody holds.
func sweep(acct account, logger *slog.Logger) {
	sweepSocketDirs(acct)
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), throwawayPattern)) // the pattern is well-formed
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
		pid := c.postmaster()
		if lockFile(c.lock) != nil || pid != 0 && alive(pid) {
			c.lock.Close()
			continue
		}
		if err := c.close(); err != nil {
			logger.Warn("stale server not removed", slog.String("dir", dir), slog.Any("error", err))
		}
	}
}
