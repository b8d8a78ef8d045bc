package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
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

// options are the command line.
type options struct {
	listen      string
	databaseURL string
	dataDir     string
	noDemo      bool
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("school", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8000", "`address` to serve on")
	fs.StringVar(&o.databaseURL, "database-url", "", "admin `URL` of a PostgreSQL database to use; default: start one of our own")
	fs.StringVar(&o.dataDir, "data-dir", defaultDataDir(), "`directory` that keeps our own PostgreSQL, or the logins' key for --database-url")
	fs.BoolVar(&o.noDemo, "no-demo", false, "do not create the two demo schools")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "Usage: school [flags]\n\nServes two schools, each in a PostgreSQL schema of its own.\n\nFlags:")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return o, flag.ErrHelp // flag has said what is wrong
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; see --help", fs.Arg(0))
	}
	return o, nil
}

// run serves until ctx ends. It listens first: a port in use is found before anything starts.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	ctx, stop := stopWithGoRun(ctx)
	defer stop()

	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", o.listen, rootCause(err))
	}
	defer listener.Close()

	db, err := openDatabase(ctx, o, stdout)
	if err != nil {
		return err
	}
	defer db.close()

	app, err := newApp(ctx, db, listener.Addr())
	if err != nil {
		return err
	}
	defer app.close()
	if !o.noDemo {
		if err := app.createDemo(ctx); err != nil {
			return err
		}
		if err := app.hosts.Refresh(ctx); err != nil { // the schools are there before their addresses are printed
			return err
		}
	}
	app.printWelcome(stdout)
	if err := app.serve(ctx, listener, db.gone); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "Stopped.")
	return nil
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
