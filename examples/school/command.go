package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// newCommand returns the command of the program: the commands of package manage for tenants, and
// the program's own. Without a subcommand it serves.
func newCommand() *cobra.Command {
	o := new(options)
	var root *cobra.Command
	stderr := func() io.Writer { return root.ErrOrStderr() } // evaluated late: a test sets the writer afterwards
	root = manage.Command(manage.Config{
		Name:  programName(),
		Open:  func(ctx context.Context) (*manage.App, error) { return openApp(ctx, o, stderr()) },
		Actor: func() (string, error) { return o.who(), nil },
		Admin: func(ctx context.Context) (*manage.Admin, error) { return openAdmin(ctx, o, stderr()) },
	})
	root.Use, root.Example = "school [flags]", "  "+programName()+"\n"+root.Example
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: programName()}
	root.Short = "Schools on one PostgreSQL, each in a schema of its own"
	root.Long = "Without a command, school serves: an API and a site for each school, and a console " +
		"for the staff of the platform. It starts a\n" +
		"PostgreSQL of its own unless --database-url names one. The commands work beside it, too.\n\n" + root.Long
	serving := newServe(o)
	root.RunE = serving.RunE
	o.addTo(root.PersistentFlags())
	o.addActorTo(root.PersistentFlags())
	o.addServingTo(root.Flags())
	if init, _, err := root.Find([]string{"init"}); err == nil {
		o.addPasswordsTo(init.Flags())
	}
	root.AddCommand(serving, newLogins(o), newCode(o), newHire(o), newDismiss(o), newUser(o))
	return root
}

// newServe returns the command serve.
func newServe(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "serve",
		Short:         "Serve the schools, as without a command",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		Example:       "  " + programName() + " serve --listen 127.0.0.1:8000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), *o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.addServingTo(cmd.Flags())
	return cmd
}

// openApp opens what the commands of package manage need. It uses the database of a serving
// process, or starts the database if none is running.
func openApp(ctx context.Context, o *options, stderr io.Writer) (_ *manage.App, err error) {
	if err := o.checkMade(); err != nil {
		return nil, err
	}
	db, err := joinDatabase(ctx, *o, stderr)
	if err != nil {
		return nil, err
	}
	p, err := openPlatform(ctx, db, o.dataDir, o.logger(stderr))
	if err != nil {
		db.close()
		return nil, err
	}
	app := &manage.App{
		Tenants: p.tenants, BaseDomain: baseDomain, Migrations: p.runner, Owner: p.owner, Runtime: p.runtime,
		Backups: p.backups, Schedule: p.schedule, Anonymize: anonymous, Log: p.log,
		Init: func(ctx context.Context) error {
			if err := db.harden(ctx); err != nil {
				return err
			}
			return p.initLog(ctx, db.roles)
		},
		Close: func(ctx context.Context) error {
			defer db.close()
			return p.close(ctx)
		},
	}
	app.Audit, err = audit.NewReader(p.owner, audit.ReaderConfig{})
	if err == nil {
		app.Subjects, err = p.subjects()
	}
	if err != nil {
		return nil, errors.Join(err, app.Close(ctx))
	}
	return app, nil
}

// openAdmin opens a connection of the admin login, which can create the other logins, for the
// command init. It creates the database if there is none.
func openAdmin(ctx context.Context, o *options, stderr io.Writer) (*manage.Admin, error) {
	db, err := findDatabase(ctx, *o, stderr, joinServer, loginKey)
	if err != nil {
		return nil, err
	}
	setup, err := db.setupConfig(ctx, *o)
	if err != nil {
		db.close()
		return nil, err
	}
	conn, err := connect(ctx, db.admin)
	if err != nil {
		db.close()
		return nil, err
	}
	return &manage.Admin{
		DB: conn, Setup: setup,
		Close: func(ctx context.Context) error {
			defer db.close()
			return conn.Close(ctx)
		},
	}, nil
}

// withPlatform opens the platform, calls do, and closes the platform. It returns the errors of all
// three.
func withPlatform(ctx context.Context, o *options, stderr io.Writer, do func(p *platform) error) (err error) {
	if err := o.checkMade(); err != nil {
		return err
	}
	db, err := joinDatabase(ctx, *o, stderr)
	if err != nil {
		return err
	}
	defer db.close()
	p, err := openPlatform(ctx, db, o.dataDir, o.logger(stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	return do(p)
}

// own completes a command of the program: it opens the platform, sets the actor for the access log,
// and calls do.
func own(o *options, cmd cobra.Command, do func(cmd *cobra.Command, p *platform, args []string) error) *cobra.Command {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.Example = strings.ReplaceAll(cmd.Example, "$0", programName())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SetContext(audit.NewContext(cmd.Context(), audit.Caller{Actor: o.who()}))
		return withPlatform(cmd.Context(), o, cmd.ErrOrStderr(), func(p *platform) error { return do(cmd, p, args) })
	}
	return &cmd
}
