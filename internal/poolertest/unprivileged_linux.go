package poolertest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
	"testing"
)

// unprivileged returns the attributes of the PgBouncer process. The process ends with the thread
// that starts it. If the test runs as root, the process runs as postgres or nobody, because
// PgBouncer refuses to run as root, and dir is given to that user.
func unprivileged(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return attr
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		check(t, err)
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		check(t, err)
		check(t, os.Chown(dir, int(uid), int(gid)))
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr
	}
	t.Fatal("PgBouncer does not run as root, and there is no user postgres or nobody to run it as")
	return nil
}
