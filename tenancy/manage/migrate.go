package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func (m *mount) migrate() *cobra.Command {
	cmd := m.verb(verb{
		use:   "migrate [SLUG]",
		short: "Migrate schemas to the newest version",
		long: `Migrate the shared schema and then the schemas of all tenants to the newest version,
several at a time. A schema that fails does not stop the others. The command can be run again at any
time, also by several processes at once: no migration is applied twice.

With a slug it migrates only that tenant's schema, with --shared only the shared schema, and with
--schema one schema, even if no tenant has it. --dry-run lists the schemas that are behind and
changes nothing. For one schema it prints the SQL as a script for psql.

With --canary or --canary-schema some schemas are migrated first. If one of them fails, the others
are not started.

After Ctrl-C no further schema is started. Schemas in progress may finish within --drain.

The JSON is migrate.Report, or with --schema and --shared migrate.Result. Its exit_code is that of
the library: its 2 is exit code 3 of this command. The dry run lists schemas as 'migrate status'
does.`,
		example: `  $0 migrate
  $0 migrate --canary 5 --parallel 8
  $0 migrate schoola --dry-run
  $0 migrate --except tenant_7,tenant_9 --stop-after 10 --json`,
		codes: map[int]string{
			CodeFailed:     "a schema, the shared schema, a canary or the canary check failed",
			CodeIncomplete: "nothing failed, but schemas were not started, because of --limit or an interrupt: run it again",
			CodeFound:      "with --dry-run: schemas are behind", CodeMissing: "no such schema",
		},
		needs:  []need{needMigrations},
		values: m.slugs,
		flags:  fleetFlags,
		run:    runMigrate,
	})
	cmd.AddCommand(m.migrateStatus(), m.migrateDown(), m.migrateRedo(), m.migrateBaseline(), m.migrateAccept())
	return cmd
}

func fleetFlags(f *pflag.FlagSet) {
	f.Bool("shared", false, "only the shared schema")
	f.String("schema", "", "only this schema")
	f.Int64("to", 0, "with SLUG, --shared or --schema: migrate to this version (default: the newest)")
	f.StringSlice("only", nil, "only these schemas of tenants")
	f.StringSlice("except", nil, "all but these schemas of tenants")
	f.Bool("skip-shared", false, "do not migrate the shared schema")
	f.Int("canary", 0, "number of schemas to migrate first")
	f.StringSlice("canary-schema", nil, "schemas to migrate first")
	f.Int("parallel", migrate.DefaultWorkers, "schemas at a time")
	f.Int("limit", 0, "start at most this many schemas (default: all)")
	f.Int("stop-after", 0, "start no more schemas after this many failures (default: no limit)")
	f.Int("per-transaction", 1, fmt.Sprintf("schemas per transaction, at most %d", migrate.MaxPerTransaction))
	f.Duration("drain", migrate.DefaultDrain, "how long schemas in progress may continue after an interrupt")
	f.Bool("dry-run", false, "change nothing, and print what would be done")
}

func (c *call) fleetOptions() migrate.UpAllOptions {
	o := migrate.UpAllOptions{
		Workers:    flagOf[int](c.cmd, "parallel"),
		SkipShared: flagOf[bool](c.cmd, "skip-shared"),
		Only:       flagOf[[]string](c.cmd, "only"),
		Except:     flagOf[[]string](c.cmd, "except"),
		Limit:      flagOf[int](c.cmd, "limit"),
		StopAfter:  flagOf[int](c.cmd, "stop-after"),
		Canary: migrate.Canary{
			Count:   flagOf[int](c.cmd, "canary"),
			Schemas: flagOf[[]string](c.cmd, "canary-schema"),
			Check:   c.CanaryCheck,
		},
		PerTransaction: flagOf[int](c.cmd, "per-transaction"),
		Drain:          flagOf[time.Duration](c.cmd, "drain"),
	}
	if o.Drain == 0 {
		o.Drain = -1 // --drain 0 means no drain; the field's 0 means the default
	}
	return o
}

// named returns the schema that the slug, --shared or --schema names, or "" without any.
func (c *call) named(ctx context.Context) (string, error) {
	shared, schema := flagOf[bool](c.cmd, "shared"), flagOf[string](c.cmd, "schema")
	switch {
	case shared && schema != "":
		return "", usagef("--shared and --schema exclude each other")
	case len(c.args) > 0 && (shared || schema != ""):
		return "", usagef("SLUG excludes --shared and --schema")
	case shared:
		return c.Migrations.SharedSchema(), nil
	case len(c.args) == 0:
		return schema, nil
	}
	return c.schemaOf(ctx, c.args[0])
}

// schemaOf returns the schema of a tenant.
func (c *call) schemaOf(ctx context.Context, slug string) (string, error) {
	if err := needTenants(c.App); err != nil {
		return "", err
	}
	t, err := c.Tenants.BySlug(ctx, slug)
	if errors.Is(err, tenancy.ErrNotFound) && c.cmd.HasSubCommands() {
		return "", usagef("%q is neither a tenant nor a command of %q", slug, c.cmd.CommandPath())
	}
	return t.Schema, err
}

// oneSchema is named, for commands that by default work on all schemas. It returns an error for
// --to without a named schema, and for flags of all schemas together with a named one.
func (c *call) oneSchema(ctx context.Context) (string, error) {
	schema, err := c.named(ctx)
	if err == nil && schema == "" && flagOf[int64](c.cmd, "to") != 0 {
		return "", usagef("--to needs a slug, --shared or --schema")
	}
	if schema == "" || err != nil {
		return "", err
	}
	fleet := slices.DeleteFunc(
		[]string{"only", "except", "skip-shared", "canary", "canary-schema", "limit", "stop-after", "per-transaction"},
		func(name string) bool { return !c.cmd.Flags().Changed(name) },
	)
	if len(fleet) > 0 {
		return "", usagef("--%s applies to all schemas and excludes SLUG, --shared and --schema", fleet[0])
	}
	return schema, nil
}

func runMigrate(ctx context.Context, c *call) error {
	schema, err := c.oneSchema(ctx)
	switch {
	case err != nil:
		return err
	case schema != "":
		return c.migrateOne(ctx, schema)
	case c.Tenants == nil:
		return needTenants(c.App)
	case flagOf[bool](c.cmd, "dry-run"):
		return c.fleetStatus(ctx, c.fleetOptions(), true)
	}
	return c.migrateAll(ctx)
}

func (c *call) migrateAll(ctx context.Context) error {
	o := c.fleetOptions()
	bar := c.progress("migrating", "schema")
	defer bar.end()
	o.Events = bar.event
	if c.Log != nil {
		logged := c.Log.MigrateEvents(ctx)
		o.Events = func(e migrate.Event) { bar.event(e); logged(e) }
	}
	report, err := c.Migrations.UpAll(ctx, c.Tenants.Schemas, o)
	bar.end()
	var option *migrate.OptionError
	if errors.As(err, &option) {
		return err // no schema was touched, so there is nothing to report
	}
	if written := c.report(report); written != nil {
		return written
	}
	var unlisted *migrate.UnlistedError
	if err == nil || errors.As(err, &unlisted) {
		return err
	}
	if report.ExitCode() == migrate.ExitIncomplete {
		return &codeError{CodeIncomplete, err}
	}
	return &codeError{CodeFailed, err}
}

func (c *call) report(r migrate.Report) error {
	if c.json {
		return c.value(r)
	}
	return c.text(r.WriteTable)
}

// text writes the output of write, line by line.
func (c *call) text(write func(w io.Writer) error) error {
	var b strings.Builder
	if err := write(&b); err != nil {
		return err
	}
	c.lines(b.String())
	return c.failed
}

func (c *call) migrateOne(ctx context.Context, schema string) error {
	version := flagOf[int64](c.cmd, "to")
	if version == 0 {
		version = migrate.Newest
	}
	if flagOf[bool](c.cmd, "dry-run") {
		plan, err := c.Migrations.PlanUp(ctx, schema, version)
		return c.plan(plan, err)
	}
	result, err := c.Migrations.UpTo(ctx, schema, version)
	return c.migrated(ctx, result, err)
}

// plan writes the SQL that would be sent. A plan has no JSON form.
func (c *call) plan(plan migrate.Plan, err error) error {
	if err != nil {
		return err
	}
	_, err = plan.WriteTo(c.w)
	if err == nil && len(plan.Calls) > 0 {
		return &codeError{code: CodeFound}
	}
	return err
}

// migrated logs and prints the result of one schema.
func (c *call) migrated(ctx context.Context, r migrate.Result, err error) error {
	if len(r.Applied)+len(r.Undone) > 0 || err != nil {
		err = errors.Join(err, c.logMigration(context.WithoutCancel(ctx), r, err))
	}
	if err != nil && r.Schema == "" {
		return err
	}
	written := c.result(r, func() {
		if len(r.Undone) > 0 {
			c.linef("%s: undone %s.", r.Schema, versions(r.Undone))
		}
		if len(r.Applied) > 0 {
			c.linef("%s: applied %s.", r.Schema, versions(r.Applied))
		}
		if len(r.Undone)+len(r.Applied) == 0 && err == nil {
			c.linef("%s: nothing to do.", r.Schema)
		}
	})
	return errors.Join(err, written)
}

func (c *call) logMigration(ctx context.Context, r migrate.Result, failure error) error {
	if c.Log == nil {
		return nil
	}
	var t tenancy.Tenant // zero for the shared schema, which has no tenant
	if r.Schema != c.Migrations.SharedSchema() {
		var err error
		if t, err = c.bySchema(ctx, r.Schema); err != nil {
			return err
		}
	}
	e := audit.Entry{Tenant: t.ID, Slug: t.Slug, Schema: r.Schema, Action: audit.Migration, Details: map[string]any{
		"command": c.cmd.CommandPath(), "applied": r.Applied, "undone": r.Undone, "outcome": string(outcomeOf(r, failure)),
	}}
	if failure != nil {
		e.Details["error"] = sentence(failure)
	}
	return c.log(ctx, e)
}

// outcomeOf returns the outcome for the access log. The result of a run over one schema may lack
// it.
func outcomeOf(r migrate.Result, failure error) migrate.Outcome {
	switch {
	case failure != nil:
		return migrate.Failed
	case r.Outcome != "":
		return r.Outcome
	}
	return migrate.Migrated
}

func versions(list []int64) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, v)
	}
	return b.String()
}
