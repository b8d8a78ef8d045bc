package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/oryne/pgtenant/internal/hint"
)

// stopWithGoRun returns a context that ends when the parent process "go run" has ended. If "go run"
// is killed by another signal than Ctrl-C, the program would otherwise keep running, with the port
// and the database.
func stopWithGoRun(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	if goRun(parent) == nil {
		return ctx, cancel // another parent, or a system without /proc
	}
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if os.Getppid() != parent {
					cancel()
					return
				}
			}
		}
	}()
	return ctx, cancel
}

// goRun returns the command line of the process if it is "go run", without the program's own
// arguments. Otherwise it returns nil.
func goRun(pid int) []string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || strings.TrimSpace(string(name)) != "go" {
		return nil
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	words := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	if n := len(words) - len(os.Args[1:]); err == nil && n > 2 && words[1] == "run" {
		return words[:n]
	}
	return []string{"go", "run", "./examples/school"}
}

// programName returns how the user has started the program, for commands in its output. A test
// replaces it.
var programName = sync.OnceValue(func() string {
	if words := goRun(os.Getppid()); words != nil {
		return hint.Command(words...)
	}
	if strings.Contains(os.Args[0], "/go-build") { // "go run", on a system without /proc
		return "go run ./examples/school"
	}
	return hint.Command(os.Args[0])
})
