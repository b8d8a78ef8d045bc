package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// Main parses the flags, runs the tests and examples of a binary, and then stops its server. It
// returns the exit code. Call it from TestMain.
func Main(m *testing.M) int {
	shared.main = true
	leaveOutExamples()
	code := m.Run()
	s := shared.server
	if s == nil {
		return code
	}
	if err := s.tearDown(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return max(code, 1)
	}
	return code
}

func (s *server) tearDown(keep bool) error {
	ctx := context.Background()
	var errs []error
	if !keep {
		for _, name := range shared.templates {
			errs = append(errs, s.dropDatabase(ctx, name))
		}
		for _, prefix := range shared.prefixes {
			errs = append(errs, s.dropRoles(ctx, prefix))
		}
	}
	s.admin.Close()
	return errors.Join(append(errs, s.stop(keep))...)
}

func waitForInterrupt() {
	fmt.Fprintln(os.Stderr, "pgtest: waiting; interrupt to go on")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}
