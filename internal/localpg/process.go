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
	done chan struct{} // closed when the server has ended
}

// startProcess starts cmd on an operating system thread that lives as long as the process. The
// kernel kills the process when the thread that started it ends, and Go ends threads at any time.
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
		_ = cmd.Wait() // the server's log says how it ended
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.os = cmd.Process
	return p, nil
}

// ended reports whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// environment returns the environment of this process without the variables of PostgreSQL clients,
// which postgres and initdb read too.
func environment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PG") {
			env = append(env, e)
		}
	}
	return env
}
