package manage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func (m *mount) shell() *cobra.Command {
	cmd := m.verb(verb{
		use:   "shell [SLUG] [flags] -- [PSQL-ARG...]",
		short: "Open psql in a tenant's scope",
		long: `Open psql in the scope of a tenant, which a slug or --schema names: with its search path
and the privileges of its role, never those of the owner. Arguments after -- are those of psql. The
exit code is psql's. The access log records the session before psql starts.

Statements that do not try to leave the scope are isolated: no other tenant's table can be reached
by its name, in a join or by mistake. A user who wants to leave can do so if the program has no
logins for tenants. The session then belongs to the runtime login, and "set role" to another
tenant's role is an ordinary statement in psql. Also, \connect and \! reach whatever the user of
this terminal reaches. ("reset role" and a new connection return to the tenant's role.) If the
program has logins for tenants, the session is logged in as the tenant's role and can take no other
role: the server itself prevents it from leaving the scope. Give a shell only to people to whom you
would give the login of the service.

psql runs without its start-up file and without variables of this environment that may contain
secrets. The password is in a file that only you can read, and that is deleted afterwards.`,
		example: "  $0 shell schoola\n  $0 shell --schema tenant_7 -- -c 'select count(*) from students'\n" +
			"  $0 shell schoola --read-only < report.sql",
		codes:  map[int]string{CodeFailed: "failed; psql also has exit codes of its own", CodeMissing: ""},
		needs:  []need{needRuntime},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.String("schema", "", "the tenant's schema")
			f.Bool("read-only", false, "start transactions as read-only, which a statement can change")
		},
		run: runShell,
	})
	cmd.Args = cobra.ArbitraryArgs
	return cmd
}

func runShell(ctx context.Context, c *call) error {
	t, args, err := c.shellTarget(ctx)
	if err != nil {
		return err
	}
	schema := t.Schema
	l, err := c.login(ctx, schema)
	if err != nil {
		return err
	}
	tool, err := exec.LookPath(c.Psql.Tool)
	if err != nil {
		return fmt.Errorf("psql was not found: %w", err)
	}
	env := append(plainEnv(), l.env...)
	if flagOf[bool](c.cmd, "read-only") {
		env = addOption(env, "default_transaction_read_only=on")
	}
	if l.password != "" {
		pass, remove, err := passfile(l.user(), l.password)
		if err != nil {
			return err
		}
		defer func() { _ = remove() }() // psql has ended
		env = append(env, pass)
	}
	env = append(env, "PGAPPNAME=pgtenant shell")
	env = append(env, c.Psql.Env...)
	err = c.log(ctx, audit.Entry{
		Tenant:  t.ID,
		Slug:    t.Slug,
		Schema:  schema,
		Action:  audit.ExplicitSwitch,
		Details: map[string]any{"command": c.cmd.CommandPath()},
	})
	if err != nil {
		return err
	}
	prompt := fmt.Sprintf("%%/ %s%%R%%x%%# ", schema)
	psql := exec.Command(
		tool,
		append([]string{"--no-psqlrc", "--set=PROMPT1=" + prompt, "--set=PROMPT2=" + prompt}, args...)...)
	psql.Env, psql.Stdin, psql.Stdout, psql.Stderr = env, c.cmd.InOrStdin(), c.w, c.stderr()
	if c.interactive() {
		c.shellNote(schema, l)
	}
	err = runAlong(psql)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return &codeError{code: exit.ExitCode()} // psql has printed the reason
	}
	return err
}

// runAlong runs a program that uses the terminal. The program handles Ctrl-C itself: in psql it
// ends a statement. The current process ignores Ctrl-C, and forwards SIGTERM and SIGHUP to the
// program.
func runAlong(cmd *exec.Cmd) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
	defer close(signals)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM || s == syscall.SIGHUP {
				_ = cmd.Process.Signal(s) // the program may have ended
			}
		}
	}()
	return cmd.Wait()
}

func (c *call) shellNote(schema string, l *tenantLogin) {
	c.note("Schema %s, as role %s.", schema, l.role)
	if !l.locked {
		c.note("This session can take the roles of other tenants by SET ROLE: see '%s shell --help'.", c.name)
	}
}

// shellTarget returns the tenant and the arguments of psql. For a schema that is not in the
// registry, the tenant has only the schema.
func (c *call) shellTarget(ctx context.Context) (t tenancy.Tenant, args []string, err error) {
	dash := c.cmd.ArgsLenAtDash()
	own, args := c.args, []string(nil)
	if dash >= 0 {
		own, args = c.args[:dash], c.args[dash:]
	}
	schema := flagOf[string](c.cmd, "schema")
	switch {
	case len(own) > 1:
		return t, nil, usagef("unexpected argument %q: write arguments of psql after --", own[1])
	case len(own) == 1 && schema != "":
		return t, nil, usagef("SLUG and --schema exclude each other")
	case schema == schemactx.Public, c.Tenants != nil && schema == c.Tenants.RegistrySchema():
		return t, nil, usagef("--schema must be the schema of a tenant, not a shared one")
	case len(own) == 0 && schema == "":
		return t, nil, usagef("SLUG or --schema is missing")
	case schema != "":
		t, err := c.bySchema(ctx, schema)
		return t, args, err
	}
	if err := needTenants(c.App); err != nil {
		return t, nil, err
	}
	t, err = c.Tenants.BySlug(ctx, own[0])
	return t, args, err
}

// bySchema returns the tenant that has the schema. If no tenant has it, the result has only the
// schema.
func (c *call) bySchema(ctx context.Context, schema string) (tenancy.Tenant, error) {
	none := tenancy.Tenant{Schema: schema}
	if c.Tenants == nil {
		return none, nil
	}
	for t, err := range c.Tenants.All(ctx, tenancy.Filter{Statuses: allStatuses(), Limit: tenancy.MaxPageSize}) {
		if err != nil {
			return none, err
		}
		if t.Schema == schema {
			return t, nil
		}
	}
	return none, nil
}

// addOption adds a setting to the startup options of a session.
func addOption(env []string, setting string) []string {
	env = slices.Clone(env)
	for i, e := range env {
		if strings.HasPrefix(e, "PGOPTIONS=") {
			env[i] += " " + startupOptions([]string{"-c", setting})
		}
	}
	return env
}
