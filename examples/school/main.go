package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "school:", oneLine(err))
		os.Exit(1)
	}
}

// run serves, or runs the command that is named.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	ctx, stop := stopWithGoRun(ctx)
	defer stop()
	if o.command == nil {
		return serve(ctx, o, stdout, stderr)
	}
	return runCommand(ctx, o, stdout, stderr)
}

// oneLine makes an error a single line: a user of the program has no use for a tree.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// rootCause returns the innermost error: "address already in use" and no more.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
