package testprocess

import (
	"os/exec"
	"runtime"
	"testing"
)

// Start starts cmd in the directory dir and fails t if that is not possible. If the test runs as
// root, the process runs as the user postgres or nobody, and that user becomes the owner of dir.
// The channel is closed when the process has ended.
//
// The process does not outlive a test process that is killed: the kernel kills it when the thread
// that started it ends. Start keeps that thread until the process has ended. Only Linux has such a
// signal. On other systems Start skips t.
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
