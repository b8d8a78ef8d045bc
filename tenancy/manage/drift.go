package manage

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

func (m *mount) drift() *cobra.Command {
	return m.verb(verb{
		use:   "drift [SLUG...]",
		short: "Compare the structure of schemas with their migrations",
		long: `Compare the actual structure of the tenants' schemas with what their migrations create,
regardless of the version tables. The command changes nothing. A schema that is behind differs by
its pending migrations: migrate first.

The JSON is drift.Report of package migrate/drift.`,
		example: "  $0 drift\n  $0 drift schoola schoolb --ignore-grants\n  $0 drift --json | jq '.results[].schema'",
		codes: map[int]string{
			CodeFailed:  "a schema could not be compared, and no other differs",
			CodeFound:   "schemas differ from their migrations",
			CodeMissing: "no such tenant",
		},
		needs:  []need{needMigrations},
		values: m.manySlugs,
		flags: func(f *pflag.FlagSet) {
			f.StringSlice("schema", nil, "compare these schemas (default: those of the named tenants, or of all)")
			f.Bool("ignore-grants", false, "ignore privileges")
			f.Bool("ignore-owners", false, "ignore owners")
			f.Bool("ignore-order", false, "ignore the order of columns")
			f.Int("parallel", migrate.DefaultWorkers, "batches of schemas to read at a time")
		},
		run: runDrift,
	})
}

func runDrift(ctx context.Context, c *call) error {
	report, err := c.driftReport(ctx, drift.Options{
		ReadOptions: drift.ReadOptions{Roles: c.roles()},
		Workers:     flagOf[int](c.cmd, "parallel"), IgnoreGrants: flagOf[bool](c.cmd, "ignore-grants"),
		IgnoreOwners: flagOf[bool](c.cmd, "ignore-owners"), IgnoreOrder: flagOf[bool](c.cmd, "ignore-order"),
	})
	if err != nil {
		return err
	}
	if err := c.result(report, func() { c.lines(report.String()) }); err != nil {
		return err
	}
	return driftError(report)
}

func driftError(report drift.Report) error {
	err := report.Err()
	if err != nil && slices.ContainsFunc(report.Results, func(r drift.Result) bool { return r.State == drift.Different }) {
		return &codeError{CodeFound, err}
	}
	return err
}

// driftReport compares the schemas of the tenants in the arguments and those that --schema names.
// Without either it compares the schemas of all tenants.
func (c *call) driftReport(ctx context.Context, o drift.Options) (report drift.Report, err error) {
	schemas := slices.Clone(flagOf[[]string](c.cmd, "schema"))
	for _, slug := range c.args {
		schema, err := c.schemaOf(ctx, slug)
		if err != nil {
			return report, err
		}
		schemas = append(schemas, schema)
	}
	if len(schemas) == 0 {
		if err := needTenants(c.App); err != nil {
			return report, err
		}
		for schema, err := range c.Tenants.Schemas(ctx) {
			if err != nil {
				return report, err
			}
			schemas = append(schemas, schema)
		}
	}
	begun := time.Now()
	reference, err := drift.Reference(ctx, c.Migrations, o.ReadOptions)
	if err != nil {
		return report, err
	}
	o.Reference, report.Reference, report.Results = &reference, reference.Hash(), []drift.Result{}
	bar := c.progress("comparing", "schema")
	defer bar.end()
	for r, err := range drift.Each(ctx, c.Migrations, schemas, o) {
		if err != nil {
			return report, err
		}
		report.Add(r)
		bar.of(report.Checked, len(schemas), len(report.Results))
	}
	report.Duration = time.Since(begun)
	return report, nil
}
