package manage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
)

// statuses are the values of --status.
var statuses = []string{
	string(tenancy.Active), string(tenancy.Suspended), string(tenancy.Maintenance), string(tenancy.Provisioning),
	string(tenancy.Dropping), string(tenancy.Stocked),
}

// filterFlags adds the flags of a command that works on several tenants.
func filterFlags(f *pflag.FlagSet, defaultStatus string) {
	f.StringSlice("status", nil,
		"only tenants with these statuses: "+strings.Join(statuses, ", ")+" (default: "+defaultStatus+")")
	f.String("search", "", "only tenants with this text in their slug, name or a domain")
	f.String("plan", "", "only tenants with this plan")
}

func (c *call) filter() (tenancy.Filter, error) {
	f := tenancy.Filter{Search: flagOf[string](c.cmd, "search"), Plan: flagOf[string](c.cmd, "plan")}
	for _, s := range flagOf[[]string](c.cmd, "status") {
		if !slices.Contains(statuses, s) {
			return f, usagef("--status %q is not one of %s", s, strings.Join(statuses, ", "))
		}
		f.Statuses = append(f.Statuses, tenancy.Status(s))
	}
	return f, nil
}

func (m *mount) tenantList() *cobra.Command {
	return m.verb(verb{
		use:   "list",
		short: "List tenants",
		long: `List tenants, ordered by id. By default all are listed; they are read page by page. --limit
limits their number, and --after continues after an id.`,
		example: `  $0 tenant list
  $0 tenant list --status suspended,maintenance --search school
  $0 tenant list --json | jq -r .slug`,
		needs: []need{needTenants},
		flags: func(f *pflag.FlagSet) {
			filterFlags(f, "all but stocked")
			f.Int64("after", 0, "only tenants with greater ids")
			f.Int("limit", 0, "at most this many tenants (default: all)")
		},
		run: listTenants,
	})
}

func listTenants(ctx context.Context, c *call) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	limit := flagOf[int](c.cmd, "limit")
	if limit < 0 {
		return usagef("--limit is negative")
	}
	f.After, f.Limit = flagOf[int64](c.cmd, "after"), tenancy.MaxPageSize
	if limit > 0 {
		f.Limit = min(limit, f.Limit)
	}
	rows := [][]string{{"ID", "SLUG", "STATUS", "SCHEMA", "PLAN", "NAME"}}
	n := 0
	for t, err := range c.Tenants.All(ctx, f) {
		if err != nil {
			return err
		}
		if n++; limit > 0 && n > limit {
			c.note("There are more tenants: use --after %d", f.After)
			n--
			break
		}
		f.After = t.ID
		if c.json {
			if err := c.value(toTenantJSON(t)); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{fmt.Sprint(t.ID), t.Slug, string(t.Status), t.Schema, t.Plan, t.Name})
	}
	if c.json {
		return nil
	}
	if n > 0 {
		c.table(rows)
	}
	c.note("%s", count(n, "tenant"))
	return nil
}

func (m *mount) tenantShow() *cobra.Command {
	return m.verb(verb{
		use: "show SLUG", short: "Show a tenant",
		long:    "Show a tenant and its domains. The tenant can have any status.",
		example: "  $0 tenant show schoola\n  $0 tenant show schoola --json | jq .schema",
		codes:   map[int]string{CodeMissing: ""}, needs: []need{needTenants}, values: m.slugs,
		run: func(ctx context.Context, c *call) error {
			d, err := c.Tenants.Show(ctx, c.args[0])
			if err != nil {
				return err
			}
			return c.result(toTenantJSON(d.Tenant, d.Domains...), func() { c.show(d) })
		},
	})
}

func (c *call) show(d tenancy.Details) {
	t := d.Tenant
	var limits []string
	for name, n := range t.Limits {
		limits = append(limits, fmt.Sprintf("%s=%d", name, n))
	}
	slices.Sort(limits)
	metadata := string(t.Metadata)
	if metadata == "{}" {
		metadata = ""
	}
	o := operationOf(&t)
	pairs := []string{
		"id", fmt.Sprint(t.ID), "slug", t.Slug, "name", t.Name, "status", string(t.Status), "reason", t.Reason,
		"until", moment(t.Until), "schema", t.Schema, "renamed to", nextSchema(o), "plan", t.Plan,
		"limits", strings.Join(limits, " "), "metadata", metadata, "operation", string(o.Op), "next step", o.Step,
		"failure", o.Failure,
		"created", moment(t.CreatedAt), "updated", moment(t.UpdatedAt),
	}
	for _, domain := range d.Domains {
		pairs = append(pairs, "domain", domainText(domain))
	}
	c.fields(pairs...)
}

func domainText(d tenancy.Domain) string {
	switch {
	case d.Primary:
		return d.Host + " (primary)"
	case !d.Verified():
		return d.Host + " (claimed)"
	}
	return d.Host
}
