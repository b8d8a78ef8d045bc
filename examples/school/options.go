package main

import (
	"errors"
	"io"
	"log/slog"
	"os/user"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/internal/hint"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// options are the flags of the command line.
type options struct {
	listen      string
	databaseURL string
	dataDir     string
	noDemo      bool
	verbose     bool
	actor       string

	newPasswords bool
}

// addTo adds the flags of all commands.
func (o *options) addTo(f *pflag.FlagSet) {
	f.StringVar(&o.databaseURL, "database-url", "",
		"admin `URL` of a PostgreSQL database to use; default: start a PostgreSQL server in the data directory")
	o.dataDir = absolute(defaultDataDir()) // HOME may be a relative path
	f.Var((*directory)(&o.dataDir), "data-dir",
		"`directory` of that server, the key of the logins, and backups")
	f.BoolVarP(&o.verbose, "verbose", "v", false,
		"log also what is as it should be, such as code that names a school by hand")
}

// command returns a command line of the program for output, with the flags that select the data. It
// omits a password in the URL.
func (o *options) command(words ...string) string {
	if o.databaseURL != "" {
		words = append(words, "--database-url", hint.WithoutPassword(o.databaseURL))
	}
	if o.dataDir != absolute(defaultDataDir()) {
		words = append(words, "--data-dir", o.dataDir)
	}
	return programName() + " " + hint.Command(words...)
}

// addPasswordsTo adds the flag --new-passwords, for commands that create the logins.
func (o *options) addPasswordsTo(f *pflag.FlagSet) {
	f.BoolVar(
		&o.newPasswords,
		"new-passwords",
		false,
		"set the passwords of --database-url's logins to those of this data directory; "+
			"programs with another one can no longer log in",
	)
}

// directory is a flag value that is made absolute, so that it stays valid in the commands that the
// program prints.
type directory string

func (d *directory) String() string { return string(*d) }
func (d *directory) Type() string   { return "directory" }

// absolute returns the absolute path. Without a current directory it returns path unchanged.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func (d *directory) Set(path string) error {
	if path == "" {
		return errors.New("it names no directory")
	}
	abs, err := filepath.Abs(path)
	*d = directory(abs)
	return err
}

// addActorTo adds the flag --actor: the person who runs a command. It is not authenticated, because
// a user who can read the data directory can use every login. It is for the access log, and for
// drops, which take two members of the staff.
func (o *options) addActorTo(f *pflag.FlagSet) {
	f.StringVar(&o.actor, "actor", "",
		"`who` runs the command, for the access log and for drops; default: the user of the system")
}

// who returns the actor of a command: --actor, or the operating-system user.
func (o *options) who() string {
	if o.actor != "" {
		return o.actor
	}
	u, err := user.Current()
	if err != nil {
		return "command line" // no user database
	}
	return u.Username
}

// addServingTo adds the flags of the commands that serve.
func (o *options) addServingTo(f *pflag.FlagSet) {
	o.addPasswordsTo(f)
	f.StringVar(&o.listen, "listen", "127.0.0.1:8000", "`address` to serve on")
	f.BoolVar(&o.noDemo, "no-demo", false, "do not create the schools of the demo")
}

// logger returns a logger to stderr. Each line has the school and the request.
func (o *options) logger(stderr io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelInfo
	}
	return slog.New(tenanthttp.LogHandler(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})))
}
