package manage

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
)

func (m *mount) tenantUpdate() *cobra.Command {
	return m.verb(verb{
		use:   "update SLUG",
		short: "Change a tenant's plan, limits or metadata",
		long: `Change a tenant's plan, limits, metadata or name. Values without a flag stay unchanged.
--limit and --metadata replace all limits and all metadata. If another process changes the tenant at
the same time, the command fails and changes nothing.`,
		example: `  $0 tenant update schoola --plan premium
  $0 tenant update schoola --limit students=500 --limit teachers=40
  $0 tenant update schoola --metadata '{"crm": 4711}'`,
		codes:  map[int]string{CodeMissing: ""},
		needs:  []need{needTenants},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.String("name", "", "display name")
			f.String("plan", "", "plan; '' for none")
			f.StringSlice("limit", nil, "name=number; '' removes all limits")
			f.String("metadata", "", "a JSON object")
		},
		run: updateTenant,
	})
}

func updateTenant(ctx context.Context, c *call) error {
	changes, err := c.changes()
	if err != nil {
		return err
	}
	t, err := c.Tenants.BySlug(ctx, c.args[0])
	if err != nil {
		return err
	}
	t, err = c.Tenants.Update(ctx, t, changes)
	if err != nil {
		return err
	}
	return c.result(toTenantJSON(t), func() { c.linef("Updated %s.", t.Slug) })
}

func (c *call) changes() (changes tenancy.Changes, err error) {
	given := false
	for _, name := range []string{"name", "plan", "limit", "metadata"} {
		given = given || c.cmd.Flags().Changed(name)
	}
	if !given {
		return changes, usagef("nothing to change: --name, --plan, --limit or --metadata is missing")
	}
	text := func(name string) *string {
		if !c.cmd.Flags().Changed(name) {
			return nil
		}
		value := flagOf[string](c.cmd, name)
		return &value
	}
	changes.Name, changes.Plan = text("name"), text("plan")
	if metadata := text("metadata"); metadata != nil {
		changes.Metadata = json.RawMessage(*metadata)
	}
	if !c.cmd.Flags().Changed("limit") {
		return changes, nil
	}
	changes.Limits = map[string]int64{}
	for _, limit := range flagOf[[]string](c.cmd, "limit") {
		name, value, _ := strings.Cut(limit, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return changes, usagef("--limit %q is not of the form name=number", limit)
		}
		changes.Limits[name] = n
	}
	return changes, nil
}

func (m *mount) tenantRename() *cobra.Command {
	return m.verb(verb{
		use:   "rename SLUG",
		short: "Change a tenant's name, slug or schema name",
		long: `Change a tenant's display name (--name), slug (--to) or schema name (--schema), or several
of them. Its rows and domains stay. When the schema is renamed, the tenant's requests fail until all
processes know the new name. Start maintenance before, so that clients retry. If a rename was
interrupted, run it again.`,
		example: "  $0 tenant rename schoola --to north --name \"North School\"\n" +
			"  $0 tenant rename schoola --schema school_north",
		codes:  map[int]string{CodeMissing: ""},
		needs:  []need{needTenants},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.String("to", "", "new slug")
			f.String("name", "", "new display name")
			f.String("schema", "", "new name of the schema, which no tenant has ever had")
		},
		run: func(ctx context.Context, c *call) error {
			p := tenancy.RenameParams{
				Slug: flagOf[string](c.cmd, "to"), Name: flagOf[string](c.cmd, "name"), Schema: flagOf[string](c.cmd, "schema"),
			}
			if p == (tenancy.RenameParams{}) {
				return usagef("nothing to rename: --to, --name or --schema is missing")
			}
			t, err := c.Tenants.Rename(ctx, c.args[0], p)
			if err != nil {
				c.printResume(err)
				return err
			}
			return c.result(
				toTenantJSON(t),
				func() { c.linef("%s is now %s (%s), in schema %s.", c.args[0], t.Slug, t.Name, t.Schema) },
			)
		},
	})
}

func (m *mount) tenantSuspend() *cobra.Command {
	return m.verb(verb{
		use:   "suspend SLUG",
		short: "Suspend a tenant",
		long: `Refuse a tenant's requests with 403 from now on, until 'tenant activate'. Requests in
progress finish. If the tenant is suspended already, only the reason changes.`,
		example: `  $0 tenant suspend schoola --reason "invoice 4711 is overdue"`,
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needTenants},
		values:  m.slugs,
		flags:   func(f *pflag.FlagSet) { f.String("reason", "", "reason, one line") },
		run: func(ctx context.Context, c *call) error {
			t, err := c.Tenants.Suspend(ctx, c.args[0], flagOf[string](c.cmd, "reason"))
			return c.printTenant(t, err)
		},
	})
}

func (m *mount) tenantActivate() *cobra.Command {
	return m.verb(verb{
		use: "activate SLUG", short: "End the suspension of a tenant",
		long: `Serve a suspended tenant again. For a tenant in maintenance use 'tenant maintenance
off'.`,
		example: `  $0 tenant activate schoola`,
		codes:   map[int]string{CodeMissing: ""}, needs: []need{needTenants}, values: m.slugs,
		run: func(ctx context.Context, c *call) error {
			t, err := c.Tenants.Activate(ctx, c.args[0])
			return c.printTenant(t, err)
		},
	})
}

func (m *mount) tenantMaintenance() *cobra.Command {
	on := m.verb(verb{
		use:   "on SLUG",
		short: "Start the maintenance of a tenant",
		long: `Answer a tenant's requests with 503 until 'tenant maintenance off'. With --for the
answer says how long it is expected to take.`,
		example: `  $0 tenant maintenance on schoola --for 20m --reason "moving to another server"`,
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needTenants},
		values:  m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.String("reason", "", "reason, one line")
			f.Duration("for", 0, "expected duration; maintenance does not end by itself (default: unknown)")
		},
		run: startMaintenance,
	})
	off := m.verb(verb{
		use: "off SLUG", short: "End the maintenance of a tenant",
		long: `Serve a tenant in maintenance again. A tenant that was suspended in the meantime stays
suspended.`,
		example: `  $0 tenant maintenance off schoola`,
		codes:   map[int]string{CodeMissing: ""}, needs: []need{needTenants}, values: m.slugs,
		run: func(ctx context.Context, c *call) error {
			t, err := c.Tenants.EndMaintenance(ctx, c.args[0])
			return c.printTenant(t, err)
		},
	})
	return m.group(group{
		use: "maintenance", short: "Start or end the maintenance of a tenant",
		long: `Start or end the maintenance of a tenant, during which its requests are answered with
503.`,
		example: "  $0 tenant maintenance on schoola --for 20m\n  $0 tenant maintenance off schoola",
	}, on, off)
}

func startMaintenance(ctx context.Context, c *call) error {
	p := tenancy.MaintenanceParams{Reason: flagOf[string](c.cmd, "reason")}
	switch d := flagOf[time.Duration](c.cmd, "for"); {
	case d < 0:
		return usagef("--for is negative")
	case d > 0:
		p.Until = time.Now().Add(d)
	}
	t, err := c.Tenants.StartMaintenance(ctx, c.args[0], p)
	return c.printTenant(t, err)
}
