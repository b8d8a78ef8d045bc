package localpg

import "syscall"

// sysProcAttr returns the attributes of the server's process. It does not run as root. It does not
// get Ctrl-C of the terminal, because Stop ends it. The kernel signals it when the thread that
// started it ends.
func (a account) sysProcAttr(kept bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if kept {
		attr.Pdeathsig = syscall.SIGINT // a fast shutdown, so that the next start needs no recovery
	}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}
