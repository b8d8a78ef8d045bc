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

// stopWithGoRun ends the returned context when the program was started by "go run" and that
// is gone. Killing "go run" with more than Ctrl-C would otherwise leave the program it
// started behind, with the port and the database.
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

// goRun returns the words of the "go run" that the process is, without those for the program, or
// nil if it is none.
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

// programName is what a person types for the program, as they started this one. A test replaces it.
var programName = sync.OnceValue(func() string {
	if words := goRun(os.Getppid()); words != nil {
		return hint.Command(words...)
	}
	if strings.Contains(os.Args[0], "/go-build") { // "go run", on a system without /proc
		return "go run ./examples/school"
	}
	return hint.Command(os.Args[0])
})
