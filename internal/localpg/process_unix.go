//go:build unix && !linux

package localpg

import "syscall"

// sysProcAttr returns the attributes of the server's process. It does not run as root. It does not
// get Ctrl-C of the terminal, because Stop ends it. If Stop is not called, it outlives this
// process: only Linux can prevent that.
func (a account) sysProcAttr(bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}
