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
		short: "Make a new tenant with the rows of another",
		long: `Make a new tenant with the rows of another, as they are at one moment, while both that tenant and all others are served. With
--structure it gets no rows, with --anonymize those columns are replaced that the program knows to hold what is personal.`,
		example: "  $0 clone schoola --to trial --name Trial --anonymize\n  $0 clone schoola --to empty --structure",
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needTenants, needBackups},
		values:  m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.String("to", "", "slug of the new tenant; required")
			f.String("name", "", "its name for people (default: the slug)")
			f.String(
				"domain",
				"",
				"its primary domain (default: the slug below the program's own domain; none where it has none)",
			)
			f.Bool("structure", false, "no rows")
			f.Bool("anonymize", false, "replace what is personal")
			f.Bool("allow-edited", false, "also where migrations were edited since")
			f.Bool("allow-drift", false, "also of a schema that is not what its migrations make, as far as its rows fit")
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
			return notConfigured("what clone --anonymize replaces")
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
