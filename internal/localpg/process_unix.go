//go:build unix && !linux

package localpg

import "syscall"

// sysProcAttr drops root and keeps the terminal's Ctrl-C from the server, which is ours to
// stop. Ending with the parent is left to Stop: only Linux knows more.
func (a account) sysProcAttr(bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}
