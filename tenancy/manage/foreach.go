package manage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func (m *mount) foreach() *cobra.Command {
	return m.verb(verb{
		use:   "foreach [flags] -- COMMAND [ARG...]",
		short: "Run a command for each tenant",
		long: `Run a command for each tenant, several at a time, and prefix each line of its output with
the tenant's slug. By default it runs for active tenants. A failure does not stop the others, unless
--stop-after is set.

The command runs without a shell. For shell syntax run a shell, as in the example. The environment
of the command has PGTENANT_ID, PGTENANT_SLUG, PGTENANT_NAME, PGTENANT_SCHEMA, PGTENANT_STATUS,
PGTENANT_PLAN and PGTENANT_DOMAIN, the primary domain. Of this process's environment it has only
general variables such as PATH, HOME and LANG. Others may contain secrets: pass them on by name with
--env. With --connect it also has the variables with which psql and other libpq programs log in
within the tenant's scope, as 'shell' does. The password is in PGPASSWORD.

On Ctrl-C no further tenant is started. Commands in progress get SIGTERM, and are killed after 10
seconds.

The JSON has two kinds of objects: {"event":"output","slug","stream","line"}, and for each tenant
{"event":"exit","slug","id","schema","exit_code","seconds","error"}. The exit_code is -1 for a
command that could not be run or was killed.`,
		example: `  $0 foreach -- sh -c 'echo "$PGTENANT_SLUG is in $PGTENANT_SCHEMA"'
  $0 foreach --connect --parallel 8 -- psql -XAtc 'select count(*) from students'
  $0 foreach --status suspended --env SMTP_URL -- ./remind`,
		codes: map[int]string{CodeFailed: "the command failed for a tenant"},
		needs: []need{needTenants},
		flags: func(f *pflag.FlagSet) {
			filterFlags(f, string(tenancy.Active))
			f.Int("parallel", tenancy.DefaultWorkers, "tenants at a time")
			f.Int("stop-after", 0, "start no more tenants after this many failures (default: no limit)")
			f.Duration("timeout", 0, "end a command that takes longer (default: no limit)")
			f.StringSlice("env", nil, "names of environment variables to pass on")
			f.Bool("connect", false, "let the command log in as 'shell' does")
		},
		run: runForEach,
	})
}

// commandWait is how long a command may run after SIGTERM.
const commandWait = 10 * time.Second

func runForEach(ctx context.Context, c *call) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	if c.cmd.ArgsLenAtDash() > 0 {
		return usagef("unexpected argument %q: write the command after --", c.args[0])
	}
	connect := flagOf[bool](c.cmd, "connect")
	if connect {
		if err := needRuntime(c.App); err != nil {
			return err
		}
	}
	tool, err := exec.LookPath(c.args[0])
	if err != nil {
		return usagef("%s", err)
	}
	e := &each{call: c, tool: tool, env: plainEnv(), connect: connect, timeout: flagOf[time.Duration](c.cmd, "timeout")}
	for _, name := range flagOf[[]string](c.cmd, "env") {
		value, ok := os.LookupEnv(name)
		if !ok {
			return usagef("--env %s: the variable is not set", name)
		}
		e.env = append(e.env, name+"="+value)
	}
	details := map[string]any{"command": c.cmd.CommandPath(), "connect": connect}
	if err := c.log(ctx, audit.Entry{Action: audit.ExplicitSwitch, Details: details}); err != nil {
		return err
	}
	report, err := c.Tenants.ForEach(ctx, e.tenant, tenancy.ForEachOptions{
		Workers: flagOf[int](c.cmd, "parallel"), Filter: filter, StopAfter: flagOf[int](c.cmd, "stop-after"),
	})
	return e.end(ctx, report, err)
}

// each runs one command for many tenants.
type each struct {
	*call
	tool    string
	env     []string
	connect bool
	timeout time.Duration
	mu      sync.Mutex // guards the output
}

// end returns the error of the whole run, with its exit code.
func (e *each) end(ctx context.Context, report tenancy.ForEachReport, err error) error {
	switch {
	case ctx.Err() != nil: // commands were signalled or not started, whatever their results
		return &codeError{CodeInterrupted, err}
	case report.Err() != nil:
		return &codeError{CodeFailed, err}
	case err == nil && !e.json:
		e.note("%s", count(len(report.Results), "tenant"))
	}
	return err
}

// exitJSON is the end of a command, in JSON. Its field names are stable.
type exitJSON struct {
	Event    string  `json:"event"` // always "exit"
	Slug     string  `json:"slug"`
	ID       int64   `json:"id"`
	Schema   string  `json:"schema"`
	ExitCode int     `json:"exit_code"`
	Seconds  float64 `json:"seconds"`
	Error    string  `json:"error,omitempty"`
}

// outputJSON is a line of a command's output, in JSON. Its field names are stable.
type outputJSON struct {
	Event  string `json:"event"` // always "output"
	Slug   string `json:"slug"`
	Stream string `json:"stream"` // stdout or stderr
	Line   string `json:"line"`
}

// tenant runs the command for one tenant and reports its end.
func (e *each) tenant(ctx context.Context, t *tenancy.Tenant) error {
	begun := time.Now()
	err := e.exec(ctx, t)
	j := exitJSON{Event: "exit", Slug: t.Slug, ID: t.ID, Schema: t.Schema, Seconds: time.Since(begun).Seconds()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		j.ExitCode = exit.ExitCode()
	case err != nil:
		j.ExitCode = -1
	}
	if err != nil {
		j.Error = sentence(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.json {
		return errors.Join(err, e.value(j))
	}
	if err != nil {
		e.note("%s: %s", t.Slug, j.Error)
	}
	return err
}

func (e *each) exec(ctx context.Context, t *tenancy.Tenant) error {
	env, err := e.environment(ctx, t)
	if err != nil {
		return err
	}
	if e.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, e.timeout, fmt.Errorf("took longer than %s", e.timeout))
		defer cancel()
	}
	stdout, stderr := e.lines(t.Slug, "stdout"), e.lines(t.Slug, "stderr")
	cmd := exec.CommandContext(ctx, e.tool, e.args[1:]...)
	cmd.Args[0] = e.args[0]
	cmd.Env, cmd.Stdout, cmd.Stderr = env, stdout, stderr
	cmd.WaitDelay = commandWait
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return cmd.Process.Kill() // on systems without signals
		}
		return nil
	}
	err = cmd.Run()
	err = errors.Join(err, stdout.flush(), stderr.flush())
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// environment returns the environment of the command for a tenant.
func (e *each) environment(ctx context.Context, t *tenancy.Tenant) ([]string, error) {
	d, err := e.Tenants.Domains(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	primary := ""
	if len(d) > 0 && d[0].Primary {
		primary = d[0].Host
	}
	env := append(e.env[:len(e.env):len(e.env)],
		fmt.Sprintf("PGTENANT_ID=%d", t.ID), "PGTENANT_SLUG="+t.Slug, "PGTENANT_NAME="+t.Name, "PGTENANT_SCHEMA="+t.Schema,
		"PGTENANT_STATUS="+string(t.Status), "PGTENANT_PLAN="+t.Plan, "PGTENANT_DOMAIN="+primary)
	if !e.connect {
		return env, nil
	}
	l, err := e.login(ctx, t.Schema)
	if err != nil {
		return nil, err
	}
	env = append(env, l.env...)
	if l.password != "" {
		env = append(env, "PGPASSWORD="+l.password)
	}
	return append(env, e.Psql.Env...), nil
}
