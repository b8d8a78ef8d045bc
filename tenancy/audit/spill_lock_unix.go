//go:build unix

package audit

import (
	"os"
	"syscall"
)

// lockFile locks an open file without waiting. The lock is held until the file is closed or the
// process ends.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// ownedByProcess reports whether a file belongs to the user of this process.
func ownedByProcess(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

func syncDirectory(dir *os.File) error { return dir.Sync() }
