//go:build !linux

package poolertest

import (
	"syscall"
	"testing"
)

func unprivileged(t testing.TB, _ string) *syscall.SysProcAttr {
	t.Skip("PgBouncer is started on Linux only, where it can be made to end with the test")
	return nil
}
