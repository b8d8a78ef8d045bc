package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"

	"github.com/oryne/pgtenant/tenancy"
)

// options are the command line.
type options struct {
	listen      string
	databaseURL string
	dataDir     string
	noDemo      bool
	verbose     bool
	command     *command // nil: serve
	args        []string // of the command
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("school", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8000", "`address` to serve on")
	fs.StringVar(&o.databaseURL, "database-url", "", "admin `URL` of a PostgreSQL database to use; default: start one of our own")
	fs.StringVar(&o.dataDir, "data-dir", defaultDataDir(), "`directory` that keeps our own PostgreSQL, or the logins' key for --database-url; backups too")
	fs.BoolVar(&o.noDemo, "no-demo", false, "do not create the three demo schools")
	fs.BoolVar(&o.verbose, "verbose", false, "log also what is as it should be, such as code that names a school by hand")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "Usage: school [flags] [command]\n\nServes schools, each in a PostgreSQL schema of its own.\n\nCommands, also while it serves:")
		for _, c := range commands {
			fmt.Fprintf(stderr, "  %-8s %-16s %s\n", c.name, c.usage, c.help)
		}
		fmt.Fprintln(stderr, "\nFlags:")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return o, flag.ErrHelp // flag has said what is wrong
	}
	var err error
	o.command, o.args, err = parseCommand(fs.Args())
	return o, err
}

// logger writes to stderr, each line with its school and request.
func (o *options) logger(stderr io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelInfo
	}
	return slog.New(tenancy.LogHandler(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})))
}
