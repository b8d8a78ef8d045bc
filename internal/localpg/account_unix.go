//go:build unix

package localpg

import (
	"io/fs"
	"os"
	"syscall"
)

// mayEnter reports whether the mode of a directory allows the account to enter it.
func (a account) mayEnter(info fs.FileInfo) bool {
	mode := info.Mode().Perm()
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && int(st.Uid) == a.uid:
		return mode&0o100 != 0
	case ok && int(st.Gid) == a.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// owns reports whether the current user or the account owns a file.
func (a account) owns(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(st.Uid) == os.Getuid() || int(st.Uid) == a.uid)
}

// lockFile takes the lock of an open file without waiting. The lock is held until the file is
// closed or the process ends, also if it is killed.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// alive reports whether a process exists.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || err == syscall.EPERM
}

var (
	fastShutdown      os.Signal = syscall.SIGINT
	immediateShutdown os.Signal = syscall.SIGQUIT
)
