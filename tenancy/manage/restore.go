package manage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func (m *mount) restore() *cobra.Command {
	cmd := m.verb(verb{
		use:   "restore SLUG",
		short: "Restore a tenant from a backup",
		long: `Restore a tenant from its newest backup, or from the one that --backup names. A dropped
tenant is created again with a new id. With --as a new tenant is created, and the existing tenant is
unchanged.

The restore builds and checks a new schema beside the existing one, and then switches the tenant to
it. The replaced schema is retained, with everything that was written after the backup, until
'restore confirm' drops it or 'restore revert' switches back to it. The command asks before it
replaces a tenant's data. Without a terminal it needs --yes. Write -- before a slug that is request,
confirm or revert.

With --file it restores a file that 'export' wrote, instead of a backup in the store.`,
		example: `  $0 restore schoola
  $0 restore schoola --as schoola-old --domain old.schoola.example.com
  $0 restore schoola --file schoola.archive --yes`,
		codes:  map[int]string{CodeUnconfirmed: "", CodeMissing: ""},
		needs:  []need{needTenants, needBackups},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			yesFlag(f)
			f.String("backup", "", "name of the backup (default: the newest)")
			f.String("file", "", "archive file to restore")
			f.String("as", "", "slug of the new tenant")
			f.String("name", "", "display name of a new tenant")
			f.String("domain", "", "primary domain of a new tenant")
			f.Bool("any-tenant", false, "also with a backup of another tenant")
			anyRegistryFlag(f)
			policyFlags(f)
		},
		run: runRestore,
	})
	cmd.AddCommand(m.restoreRequest(), m.restoreConfirm(), m.restoreRevert())
	return cmd
}

// policyFlags adds the flags that allow differences.
func policyFlags(f *pflag.FlagSet) {
	f.Bool("allow-edited", false, "also if migrations were edited after the backup")
	f.Bool("allow-drift", false, "also if the backup lacks objects that its migrations create")
}

func anyRegistryFlag(f *pflag.FlagSet) {
	f.Bool("any-registry", false, "also with a backup of another database, which --backup names")
}

func (c *call) policies() (o backup.RestoreOptions) {
	o.AnyRegistry = flagOf[bool](c.cmd, "any-registry")
	if flagOf[bool](c.cmd, "allow-edited") {
		o.Edited = backup.EditedAllow
	}
	if flagOf[bool](c.cmd, "allow-drift") {
		o.Drift = backup.DriftRecord
	}
	return o
}

func runRestore(ctx context.Context, c *call) error {
	o, err := c.restoreOptions(ctx)
	if err != nil {
		return err
	}
	if path := flagOf[string](c.cmd, "file"); path != "" {
		if flagOf[string](c.cmd, "backup") != "" {
			return usagef("--file and --backup exclude each other")
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		return c.restoreWith(ctx, path, time.Time{}, o, func(ctx context.Context) (backup.RestoreResult, error) {
			return c.Backups.RestoreFrom(ctx, file, o)
		})
	}
	info, err := c.findBackup(ctx, c.args[0], flagOf[string](c.cmd, "backup"))
	if err != nil {
		return err
	}
	return c.restoreWith(ctx, info.Name, info.TakenAt, o, func(ctx context.Context) (backup.RestoreResult, error) {
		return c.Backups.Restore(ctx, info.Name, o)
	})
}

// restoreOptions returns options that replace the tenant with the slug. If that tenant does not
// exist, or with --as, they make a new tenant.
func (c *call) restoreOptions(ctx context.Context) (backup.RestoreOptions, error) {
	o := c.policies()
	as, name, domain := flagOf[string](c.cmd, "as"), flagOf[string](c.cmd, "name"), flagOf[string](c.cmd, "domain")
	if as != "" {
		o.Slug, o.Name, o.Domain = as, name, domain
		if domain == "" && c.BaseDomain != "" {
			o.Domain = as + "." + c.BaseDomain
		}
		return o, nil
	}
	_, err := c.Tenants.BySlug(ctx, c.args[0])
	switch {
	case errors.Is(err, tenancy.ErrNotFound):
		o.Slug, o.Name, o.Domain = c.args[0], name, domain
		return o, nil
	case err != nil:
		return o, err
	case name != "" || domain != "":
		return o, usagef("--name and --domain are for a new tenant: %s exists and keeps its own", c.args[0])
	}
	o.Replace, o.AnyTenant = c.args[0], flagOf[bool](c.cmd, "any-tenant")
	return o, nil
}

// restoredJSON is the result of a restore or a clone, in JSON. Its field names are stable.
type restoredJSON struct {
	Tenant   tenantJSON `json:"tenant"`
	From     string     `json:"from"`               // the backup or file, or the slug of the cloned tenant
	Retained string     `json:"retained,omitempty"` // the schema that was replaced
	TakenAt  time.Time  `json:"taken_at"`
	Tables   int        `json:"tables"`
	Rows     int64      `json:"rows"`

	Warnings []backup.Warning `json:"warnings,omitempty"`
}

func toRestoredJSON(r backup.RestoreResult, from string) restoredJSON {
	return restoredJSON{
		Tenant:   toTenantJSON(r.Tenant),
		From:     from,
		Retained: r.Retained,
		TakenAt:  r.TakenAt,
		Tables:   r.Tables,
		Rows:     r.Rows,
		Warnings: r.Warnings,
	}
}

// warnings prints the warnings of a restore: the objects that it could not recreate as they were.
func (c *call) warnings(all []backup.Warning) {
	for _, w := range all {
		c.linef("Warning: %s.", w)
	}
}

// withWarnings adds the warnings, if there are any, to the details of an entry of the access log.
func withWarnings(details map[string]any, warnings []backup.Warning) map[string]any {
	if len(warnings) > 0 {
		details["warnings"] = warnings
	}
	return details
}

// restoreWith asks for confirmation if a tenant is replaced, restores with do, records the restore
// in the access log, and prints the result. from is the backup or the file. taken is the time of
// the backup, or zero for a file.
func (c *call) restoreWith(
	ctx context.Context,
	from string,
	taken time.Time,
	o backup.RestoreOptions,
	do func(ctx context.Context) (backup.RestoreResult, error),
) error {
	if o.Replace != "" {
		when := "the file " + from
		if !taken.IsZero() {
			when = "the backup of " + moment(taken)
		}
		what := fmt.Sprintf("%s will be restored from %s. "+
			"Data written since then is retained until 'restore confirm' drops it.", o.Replace, when)
		if err := c.confirm(what, o.Replace); err != nil {
			return err
		}
	}
	barred, end := c.withBar(ctx, "restoring "+c.args[0])
	r, err := do(barred)
	end()
	if err != nil {
		return err
	}
	t := r.Tenant
	logged := c.log(context.WithoutCancel(ctx), audit.Entry{
		Tenant: t.ID, Slug: t.Slug, Schema: t.Schema, Action: audit.Restore,
		Details: withWarnings(map[string]any{"backup": from, "rows": r.Rows}, r.Warnings),
	})
	return errors.Join(logged, c.result(toRestoredJSON(r, from), func() {
		c.linef("Restored %s from %s as %s, in schema %s.", count(r.Rows, "row"), from, t.Slug, t.Schema)
		if r.Retained != "" {
			c.linef("The replaced schema %s is retained: %s switches back to it, %s drops it.",
				r.Retained, c.hint("restore", "revert", t.Slug), c.hint("restore", "confirm", t.Slug))
		}
		c.warnings(r.Warnings)
	}))
}

func (m *mount) restoreRevert() *cobra.Command {
	return m.verb(verb{
		use:   "revert SLUG",
		short: "Undo a restore",
		long: `Switch a tenant back to the schema that a restore has retained. The restored schema is
retained instead, so that a second revert switches to it again.`,
		example: "  $0 restore revert schoola",
		codes:   map[int]string{CodeMissing: "no such tenant, or it has no retained schema"},
		needs:   []need{needTenants, needBackups},
		values:  m.slugs,
		run: func(ctx context.Context, c *call) error {
			retained, err := c.Tenants.RetainedSchema(ctx, c.args[0])
			if err != nil {
				return err
			}
			t, err := c.Backups.RevertRestore(ctx, c.args[0], retained.Schema)
			if err != nil {
				return err
			}
			return c.result(toTenantJSON(t), func() {
				c.linef("%s has schema %s again. The restored schema is retained: a second revert switches to it.",
					t.Slug, t.Schema)
			})
		},
	})
}

func (m *mount) restoreConfirm() *cobra.Command {
	return m.verb(verb{
		use:   "confirm SLUG",
		short: "Drop the schema that a restore has retained",
		long: `Drop the schema that a restore has retained, with everything that was written between the
backup and the restore. This cannot be undone, and has the requirements of 'tenant drop'. On a
terminal it prints what will be lost and asks for the slug. Without a terminal, 'restore request'
prints what will be lost and a token, and this command takes --token and --yes. If the program
requires the approval of a second person, that person runs 'tenant drop approve' in between.`,
		example: "  $0 restore confirm schoola\n  $0 restore confirm schoola --token TOKEN --yes",
		codes:   map[int]string{CodeUnconfirmed: "", CodeMissing: "no such tenant, or it has no retained schema"},
		needs:   []need{needTenants, needBackups},
		values:  m.slugs,
		flags:   confirmFlags,
		run: func(ctx context.Context, c *call) error {
			retained, err := c.Tenants.RetainedSchema(ctx, c.args[0])
			if err != nil {
				return err
			}
			return c.destroy(ctx, retained.Schema, func(ctx context.Context, p tenancy.DropParams) error {
				t, err := c.Backups.ConfirmRestore(ctx, p, retained.Schema)
				if err != nil {
					return err
				}
				return c.result(toTenantJSON(t), func() {
					c.linef("Dropped schema %s. %s keeps schema %s.", retained.Schema, t.Slug, t.Schema)
				})
			})
		},
	})
}

func (m *mount) restoreRequest() *cobra.Command {
	return m.verb(verb{
		use:   "request SLUG",
		short: "Request the drop of a retained schema: print what will be lost, and a token",
		long: `Request the drop of the schema that a restore has retained. It prints what will be lost,
and the token that 'restore confirm' needs. It changes nothing else. The token is printed once. Only
you can use it, and only for this schema.`,
		example: "  $0 restore request schoola\n  $0 restore request schoola --json | jq -r .token",
		codes:   map[int]string{CodeMissing: "no such tenant, or it has no retained schema"},
		needs:   []need{needTenants},
		values:  m.slugs,
		run: func(ctx context.Context, c *call) error {
			retained, err := c.Tenants.RetainedSchema(ctx, c.args[0])
			if err != nil {
				return err
			}
			return c.request(ctx, retained.Schema)
		},
	})
}
