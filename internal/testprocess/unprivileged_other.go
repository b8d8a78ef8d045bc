//go:build !linux

package testprocess

import (
	"syscall"
	"testing"
)

func unprivileged(t testing.TB, _ string) *syscall.SysProcAttr {
	t.Helper()
	t.Skip("the process is started on Linux only, where the kernel ends it with the test process")
	return nil
}
