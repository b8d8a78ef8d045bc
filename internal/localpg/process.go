package localpg

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// process is a running server.
type process struct {
	os   *os.Process
	done chan struct{} // closed when it has ended
}

// startProcess starts cmd on a thread that lives as long as it does: the kernel ends a
// child with the thread that started it, and Go's threads come and go.
func startProcess(cmd *exec.Cmd) (*process, error) {
	started := make(chan error)
	p := &process{done: make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in its log
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.os = cmd.Process
	return p, nil
}

// ended reports whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// environment is ours without the settings of PostgreSQL clients, which its server and
// initdb read too.
func environment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PG") {
			env = append(env, e)
		}
	}
	return env
}
