package manage

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Run runs a tree of commands that has those of [Command] in it, with the arguments of the process
// or those that SetArgs has given it, says on its standard error output what went wrong, and
// returns what the process is to exit with.
//
// SIGINT and SIGTERM end the context of the commands. The second one ends the process, as if nobody
// had caught it.
func Run(ctx context.Context, root *cobra.Command) (code int) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the next signal is nobody's
	defer func() {
		if p := recover(); p != nil { // a user has no use for a stack
			fmt.Fprintf(root.ErrOrStderr(), "%s: internal error: %s\n", root.Name(), sentence(fmt.Errorf("%v", p)))
			code = CodeFailed
		}
	}()
	root.SilenceErrors, root.SilenceUsage = true, true
	ran, err := root.ExecuteContextC(ctx)
	report(root, ran, err)
	return ExitCode(err)
}

// report says what went wrong, where there is more to say than the exit code does.
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
