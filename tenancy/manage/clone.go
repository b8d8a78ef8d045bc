package manage

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func (m *mount) clone() *cobra.Command {
	return m.verb(verb{
		use:   "clone SLUG",
		short: "Create a tenant with the rows of another",
		long: `Create a tenant with a snapshot of another tenant's rows, while all tenants are served.
With --structure the new tenant gets no rows. With --anonymize the columns are replaced that the
program has configured as personal data.`,
		example: "  $0 clone schoola --to trial --name Trial --anonymize\n  $0 clone schoola --to empty --structure",
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needTenants, needBackups},
		values:  m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.String("to", "", "slug of the new tenant; required")
			f.String("name", "", "display name (default: the slug)")
			f.String(
				"domain",
				"",
				"primary domain (default: the slug below the program's base domain, if it has one)",
			)
			f.Bool("structure", false, "copy no rows")
			f.Bool("anonymize", false, "replace personal data")
			f.Bool("allow-edited", false, "also if migrations were edited after they were applied")
			f.Bool("allow-drift", false, "also if the schema differs from its migrations, as far as its rows fit")
		},
		run: runClone,
	})
}

func runClone(ctx context.Context, c *call) error {
	o := backup.CloneOptions{
		Slug:   flagOf[string](c.cmd, "to"),
		Name:   flagOf[string](c.cmd, "name"),
		Domain: flagOf[string](c.cmd, "domain"),
	}
	switch {
	case o.Slug == "":
		return usagef("--to is missing")
	case o.Domain == "" && c.BaseDomain != "":
		o.Domain = o.Slug + "." + c.BaseDomain
	}
	if flagOf[bool](c.cmd, "structure") {
		o.Data = backup.CloneStructure
	}
	if flagOf[bool](c.cmd, "anonymize") {
		if len(c.Anonymize) == 0 {
			return notConfigured("the columns that clone --anonymize replaces")
		}
		o.Anonymize = c.Anonymize
	}
	if flagOf[bool](c.cmd, "allow-edited") {
		o.Edited = backup.EditedAllow
	}
	if flagOf[bool](c.cmd, "allow-drift") {
		o.Drift = backup.DriftRecord
	}
	barred, end := c.withBar(ctx, "cloning "+c.args[0])
	r, err := c.Backups.Clone(barred, c.args[0], o)
	end()
	if err != nil {
		return err
	}
	t := r.Tenant
	logged := c.log(context.WithoutCancel(ctx), audit.Entry{
		Tenant: t.ID,
		Slug:   t.Slug,
		Schema: t.Schema,
		Action: audit.Create,
		Details: withWarnings(
			map[string]any{"clone_of": c.args[0], "rows": r.Rows, "anonymized": len(o.Anonymize) > 0},
			r.Warnings,
		),
	})
	return errors.Join(logged, c.result(toRestoredJSON(r, c.args[0]), func() {
		c.linef("Cloned %s of %s as %s, in schema %s.", count(r.Rows, "row"), c.args[0], t.Slug, t.Schema)
		c.warnings(r.Warnings)
	}))
}
