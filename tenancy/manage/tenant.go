package manage

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
)

func (m *mount) tenant() *cobra.Command {
	return m.group(
		group{
			use:   "tenant",
			short: "Create, list, change and drop tenants",
			long: `Create, list, change and drop tenants. A tenant is named by its slug, which is unique and
can be changed.`,
			example: `  $0 tenant create --name "School A" --subdomain schoola
  $0 tenant list --status suspended
  $0 tenant show schoola`,
		},
		m.tenantCreate(), m.tenantResume(), m.tenantList(), m.tenantShow(), m.tenantUpdate(), m.tenantRename(),
		m.tenantSuspend(), m.tenantActivate(), m.tenantMaintenance(), m.drop(),
	)
}

func (m *mount) tenantCreate() *cobra.Command {
	return m.verb(verb{
		use:   "create",
		short: "Create a tenant",
		long: `Create a tenant: its registry row, its schema and role, its tables, and the data that the
program adds. The tenant is then active. If a step fails, the tenant stays incomplete, and 'tenant
resume' continues with that step.

With --stock a tenant is assigned that was created in advance, if there is one. This takes
milliseconds.`,
		example: `  $0 tenant create --name "School A" --subdomain schoola
  $0 tenant create --name "School B" --subdomain schoolb --domain schoolb.example.org --plan premium --json`,
		needs: []need{needTenants},
		flags: func(f *pflag.FlagSet) {
			f.String("subdomain", "", "slug: a DNS label of at most 63 lower-case letters, digits and hyphens; required")
			f.String("name", "", "display name (default: the slug)")
			f.String(
				"domain",
				"",
				"primary domain (default: the subdomain below the program's base domain, if it has one)",
			)
			f.String("plan", "", "plan of the tenant (default: none)")
			f.String("schema", "", "name of its schema (default: tenant_<id>)")
			f.Bool("stock", false, "assign a tenant from the stock, if there is one")
		},
		run: createTenant,
	})
}

func createTenant(ctx context.Context, c *call) error {
	p := tenancy.CreateParams{
		Slug: flagOf[string](c.cmd, "subdomain"), Name: flagOf[string](c.cmd, "name"),
		Domain: flagOf[string](c.cmd, "domain"), Schema: flagOf[string](c.cmd, "schema"),
	}
	if p.Slug == "" {
		return usagef("--subdomain is missing")
	}
	if p.Domain == "" && c.BaseDomain != "" {
		p.Domain = p.Slug + "." + c.BaseDomain
	}
	plan := flagOf[string](c.cmd, "plan")
	if err := c.Tenants.CheckPlan(plan); err != nil {
		return err // checked before anything is created
	}
	create := c.Tenants.Create
	if flagOf[bool](c.cmd, "stock") {
		create = c.Tenants.AssignStocked
	}
	t, err := create(ctx, p)
	if err != nil {
		c.printResume(err)
		return err
	}
	if plan != "" {
		changed, err := c.Tenants.Update(ctx, t, tenancy.Changes{Plan: &plan})
		if err != nil {
			return &codeError{CodeFailed, fmt.Errorf("tenant %q was created without its plan: %w", t.Slug, err)}
		}
		t = changed
	}
	d, err := c.Tenants.Show(ctx, t.Slug)
	if err != nil {
		return err
	}
	return c.result(toTenantJSON(d.Tenant, d.Domains...), func() {
		c.linef("Created %s (%s) in schema %s.", t.Slug, t.Name, t.Schema)
	})
}

func (m *mount) tenantResume() *cobra.Command {
	return m.verb(verb{
		use:   "resume SLUG",
		short: "Continue an interrupted operation",
		long: `Continue an operation that failed or was interrupted: the creation of a tenant, or a rename
or replacement of its schema. If there is no such operation, the command fails.`,
		example: `  $0 tenant resume schoola`,
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needTenants},
		values:  m.slugs,
		run: func(ctx context.Context, c *call) error {
			t, err := c.Tenants.Resume(ctx, c.args[0])
			c.printResume(err)
			return c.printTenant(t, err)
		},
	})
}

// printResume prints how to continue an operation that failed at a step.
func (c *call) printResume(err error) {
	var step *tenancy.StepError
	if errors.As(err, &step) && step.Op != tenancy.OpUpdate {
		c.note("It stopped at step %q. To continue, run %s.", step.Step, c.hint("tenant", "resume", step.Tenant.Slug))
	}
}

// printTenant prints the state of a tenant after a change.
func (c *call) printTenant(t tenancy.Tenant, err error) error {
	if err != nil {
		return err
	}
	return c.result(toTenantJSON(t), func() { c.linef("%s is %s.", t.Slug, describe(t)) })
}

// describe returns a tenant's status with its reason.
func describe(t tenancy.Tenant) string {
	text := string(t.Status)
	switch t.Status {
	case tenancy.Maintenance:
		text = "in maintenance"
	case tenancy.Dropping:
		text = "being dropped"
	}
	if !t.Until.IsZero() {
		text += " until " + moment(t.Until)
	}
	if t.Reason != "" {
		text += ": " + t.Reason
	}
	return text
}
