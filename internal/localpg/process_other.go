//go:build !unix

package localpg

import "syscall"

func (account) sysProcAttr(bool) *syscall.SysProcAttr { return nil }
