//go:build !linux

package dashboardtest_test

import (
	"syscall"
	"testing"
)

func unprivileged(t *testing.T, _ string) *syscall.SysProcAttr {
	t.Skip("Prometheus is started on Linux only, where it can be made to end with the test")
	return nil
}
