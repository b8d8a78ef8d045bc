package localpg

import "syscall"

// sysProcAttr drops root, keeps the terminal's Ctrl-C from the server, which is ours to
// stop, and has the kernel end it when the thread that starts it ends.
func (a account) sysProcAttr(kept bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if kept {
		attr.Pdeathsig = syscall.SIGINT // a fast shutdown, so that the next start need not recover
	}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}
