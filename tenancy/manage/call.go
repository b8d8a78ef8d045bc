package manage

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// call is one run of a command.
type call struct {
	*App
	printer
	cmd   *cobra.Command
	args  []string
	actor string
	name  string // the program's name
	stdin *bufio.Reader
}

// action runs a command.
type action func(ctx context.Context, c *call) error

// need is a requirement of a command. It returns an error if the program has not configured it.
type need func(a *App) error

// notConfigured returns the error of a command that needs something that the program has not
// configured.
func notConfigured(what string) error {
	return fmt.Errorf("this program has not configured %s", what)
}

func needTenants(a *App) error    { return needed(a.Tenants != nil, "a registry of tenants") }
func needMigrations(a *App) error { return needed(a.Migrations != nil, "migrations") }
func needBackups(a *App) error    { return needed(a.Backups != nil, "backups") }
func needAudit(a *App) error      { return needed(a.Audit != nil, "an access log that it can read") }
func needRuntime(a *App) error    { return needed(a.Runtime != nil, "a pool of the runtime login") }

func needed(there bool, what string) error {
	if there {
		return nil
	}
	return notConfigured(what)
}

// runner returns the RunE function of a command. It opens the App, runs fn, and closes the App.
func (m *mount) runner(fn action, needs []need) func(cmd *cobra.Command, args []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		actor, err := m.cfg.Actor()
		if err != nil {
			return fmt.Errorf("find out who runs the command: %w", err)
		}
		ctx := audit.NewContext(cmd.Context(), audit.Caller{Actor: actor})
		app, err := m.open(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closing(ctx, app.Close)) }()
		for _, n := range needs {
			if err := n(app); err != nil {
				return err
			}
		}
		c := m.newCall(cmd, args)
		c.App, c.actor = app, actor
		return c.unprepared(fn(ctx, c))
	}
}

// unprepared adds a hint to the error of a database that lacks a table, column or schema of the
// registry.
func (c *call) unprepared(err error) error {
	var pg *pgconn.PgError
	if c.Tenants == nil || !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case "42P01", "42703", "3F000": // undefined_table, undefined_column, invalid_schema_name
		return fmt.Errorf("%w: has %s been run?", err, c.hint("init"))
	}
	return err
}

// newCall returns a call without an opened App.
func (m *mount) newCall(cmd *cobra.Command, args []string) *call {
	out := cmd.OutOrStdout()
	return &call{
		printer: printer{w: out, json: flagOf[bool](cmd, "json"), colour: colourful(out)},
		cmd:     cmd, args: args, name: m.cfg.Name, stdin: bufio.NewReader(cmd.InOrStdin()),
	}
}

func (m *mount) open(ctx context.Context) (*App, error) {
	app, err := m.cfg.Open(ctx)
	if err == nil && app == nil {
		err = notConfigured("anything")
	}
	if err != nil {
		return nil, err
	}
	a := *app
	a.Check.Roles = cmp.Or(a.Check.Roles, a.roles())
	if a.ExtraSearchPath == nil && a.Migrations != nil {
		a.ExtraSearchPath = a.Migrations.Config().ExtraSearchPath
	}
	if a.Check.ExtraSearchPath == nil {
		a.Check.ExtraSearchPath = a.ExtraSearchPath
	}
	a.Psql.Tool = cmp.Or(a.Psql.Tool, "psql")
	return &a, nil
}

// roles returns the role names of the database, from the first part of the program that knows them.
func (a *App) roles() schemactx.RoleNames {
	switch {
	case a.Tenants != nil:
		return a.Tenants.Roles()
	case a.Migrations != nil:
		return a.Migrations.RoleNames()
	case a.Runtime != nil:
		return schemactx.DefaultRoleNames(a.Runtime.Config().ConnConfig.Database)
	}
	return schemactx.RoleNames{}
}

// closeTimeout limits the closing of an App. Its access log may still have entries to write.
const closeTimeout = 15 * time.Second

func closing(ctx context.Context, fn func(ctx context.Context) error) error {
	if fn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return fn(ctx)
}

// note writes a line that is not part of the result to stderr, such as a hint what to do next.
func (c *call) note(format string, args ...any) {
	fmt.Fprintln(c.stderr(), clean(fmt.Sprintf(format, args...)))
}

func (c *call) stderr() io.Writer { return c.cmd.ErrOrStderr() }

// log writes an entry to the access log for an action that no hook reports. A failed write is an
// error.
func (c *call) log(ctx context.Context, e audit.Entry) error {
	if c.Log == nil {
		return nil
	}
	return c.Log.Write(ctx, e)
}

// flagOf returns the value of a flag of the command or of a command above it. Without such a flag
// it returns the zero value.
func flagOf[T any](cmd *cobra.Command, name string) (value T) {
	f := cmd.Flags().Lookup(name)
	if f == nil {
		return value
	}
	var got any
	var err error
	switch any(value).(type) {
	case bool:
		got, err = cmd.Flags().GetBool(name)
	case int:
		got, err = cmd.Flags().GetInt(name)
	case int64:
		got, err = cmd.Flags().GetInt64(name)
	case string:
		got, err = cmd.Flags().GetString(name)
	case []string:
		got, err = cmd.Flags().GetStringSlice(name)
	case time.Duration:
		got, err = cmd.Flags().GetDuration(name)
	}
	if err != nil {
		panic(err) // programming error: the flag has another type
	}
	return got.(T)
}

// osUser returns the name of the process's user, or "uid 1000" if the uid has no name, as in a
// container.
func osUser() (string, error) {
	u, err := user.Current()
	switch id := os.Getuid(); {
	case err == nil:
		return u.Username, nil
	case id >= 0:
		return fmt.Sprintf("uid %d", id), nil
	}
	return "", err
}
