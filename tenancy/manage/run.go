package manage

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Run runs a tree of commands that contains those of [Command]. It uses the arguments of the
// process, or those that SetArgs has set. It prints an error to the tree's standard error, and
// returns the exit code of the process.
//
// The first SIGINT or SIGTERM ends the context of the commands. The second one ends the process by
// the signal's default action.
func Run(ctx context.Context, root *cobra.Command) (code int) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the next signal has its default action
	defer func() {
		if p := recover(); p != nil { // the user gets no stack trace
			fmt.Fprintf(root.ErrOrStderr(), "%s: internal error: %s\n", root.Name(), sentence(fmt.Errorf("%v", p)))
			code = CodeFailed
		}
	}()
	root.SilenceErrors, root.SilenceUsage = true, true
	ran, err := root.ExecuteContextC(ctx)
	report(root, ran, err)
	return ExitCode(err)
}

// report prints the error, unless the exit code says all.
func report(root, ran *cobra.Command, err error) {
	var coded *codeError
	if err == nil || errors.As(err, &coded) && coded.err == nil {
		return
	}
	texts := sentences(err)
	if ExitCode(err) == CodeInterrupted {
		texts = []string{"interrupted"}
	}
	var usage *usageError
	if errors.As(err, &usage) {
		texts[len(texts)-1] += fmt.Sprintf("; see '%s --help'", ran.CommandPath())
	}
	for _, text := range texts {
		fmt.Fprintf(root.ErrOrStderr(), "%s: %s\n", root.Name(), text)
	}
}
