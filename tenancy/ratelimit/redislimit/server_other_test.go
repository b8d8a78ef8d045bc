//go:build !linux

package redislimit_test

import (
	"syscall"
	"testing"
)

func unprivileged(t testing.TB, _ string) *syscall.SysProcAttr {
	t.Skip("Redis is started on Linux only, where it can be made to end with the test")
	return nil
}
