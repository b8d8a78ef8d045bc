package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// stopWithGoRun ends the returned context when the program was started by "go run" and that
// is gone. Killing "go run" with more than Ctrl-C would otherwise leave the program it
// started behind, with the port and the database.
func stopWithGoRun(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parent))
	if err != nil || strings.TrimSpace(string(name)) != "go" {
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
