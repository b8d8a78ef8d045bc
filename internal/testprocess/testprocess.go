package testprocess

import (
	"os/exec"
	"runtime"
	"testing"
)

// Start starts cmd in the directory dir. If the test runs as root, the process runs as the user
// postgres or nobody, and that user gets dir. The channel is closed when the process has ended.
//
// The kernel kills the process when the thread that started it ends, so that it does not outlive a
// test process that is killed. Start keeps that thread until the process has ended. Only Linux has
// such a signal: on other systems Start skips t.
func Start(t testing.TB, cmd *exec.Cmd, dir string) (stopped <-chan struct{}) {
	t.Helper()
	cmd.Dir, cmd.SysProcAttr = dir, unprivileged(t, dir)
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log of the process has the reason
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	return ended
}
