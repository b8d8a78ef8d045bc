package manage

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
)

func (m *mount) domain() *cobra.Command {
	return m.group(
		group{
			use:   "domain",
			short: "List and change the domains of tenants",
			long: `List and change the domains of tenants. A verified domain belongs to exactly one tenant,
and requests for it go to that tenant. One of a tenant's domains is its primary domain. Requests for
a domain that is only claimed go to no tenant.`,
			example: "  $0 domain add schoola www.schoola.example\n  $0 domain list schoola",
		},
		m.domainVerb("list", "SLUG", "List a tenant's domains",
			"List the domains of a tenant, the primary domain first. "+
				"For a claimed domain it prints the TXT record that proves the claim.",
			"  $0 domain list schoola", listDomains),
		m.domainVerb("add", "SLUG HOST", "Add a domain to a tenant",
			"Add a verified domain to a tenant without proof of ownership. It does not become the primary domain.",
			"  $0 domain add schoola www.schoola.example",
			domainChange((*tenancy.Manager).AddDomain, "Added %s to %s.")),
		m.domainVerb("claim", "SLUG HOST", "Claim a domain for a tenant",
			"Claim a domain for a tenant, and print the TXT record that the tenant has to publish in the DNS. "+
				"Then run 'domain verify'.",
			"  $0 domain claim schoola www.schoola.example",
			domainChange((*tenancy.Manager).ClaimDomain, "Claimed %s for %s.")),
		m.domainVerb("verify", "SLUG HOST", "Verify a claimed domain",
			"Look up the TXT record of a claimed domain in the DNS. If it has the expected text, "+
				"the domain becomes a verified domain of the tenant.",
			"  $0 domain verify schoola www.schoola.example",
			domainChange((*tenancy.Manager).VerifyDomain, "Verified %s: it belongs to %s.")),
		m.domainVerb("primary", "SLUG HOST", "Make a domain the primary domain",
			"Make a verified domain of a tenant its primary domain, which links use. "+
				"The previous primary domain stays a domain of the tenant.",
			"  $0 domain primary schoola www.schoola.example",
			domainChange((*tenancy.Manager).SetPrimaryDomain, "%s is now the primary domain of %s.")),
		m.domainVerb("remove", "SLUG HOST", "Remove a domain from a tenant",
			"Remove a domain, or the claim of one, from a tenant. Another tenant can then have it. "+
				"To remove the primary domain, make another domain primary first.",
			"  $0 domain remove schoola www.schoola.example", removeDomain),
		m.domainMove(),
	)
}

// domainVerb returns a command on the domains of the tenant that its first argument names.
func (m *mount) domainVerb(name, args, short, long, example string, run action) *cobra.Command {
	return m.verb(verb{
		use: name + " " + args, short: short, long: long, example: example, run: run,
		codes: map[int]string{CodeMissing: ""}, needs: []need{needTenants}, values: m.slugsThenDomains,
	})
}

func listDomains(ctx context.Context, c *call) error {
	d, err := c.Tenants.Show(ctx, c.args[0])
	if err != nil {
		return err
	}
	rows := [][]string{{"HOST", "STATE", "PRIMARY", "VERIFIED", "TXT RECORD"}}
	for _, domain := range d.Domains {
		j := toDomainJSON(domain)
		if c.json {
			if err := c.value(j); err != nil {
				return err
			}
			continue
		}
		state, primary, record := "claimed", "", ""
		if j.Verified {
			state = "verified"
		}
		if j.Primary {
			primary = "yes"
		}
		if j.Token != "" {
			record = j.Record + " = " + j.Token
		}
		rows = append(rows, []string{j.Host, state, primary, moment(j.VerifiedAt), record})
	}
	if len(rows) > 1 {
		c.table(rows)
	}
	return nil
}

// domainChange returns the action that calls a method which changes one domain. done is the message
// about the result, with a verb for the domain and one for the tenant.
func domainChange(
	method func(m *tenancy.Manager, ctx context.Context, slug, host string) (tenancy.Domain, error), done string,
) action {
	return func(ctx context.Context, c *call) error {
		d, err := method(c.Tenants, ctx, c.args[0], c.args[1])
		if err != nil {
			return err
		}
		return c.result(toDomainJSON(d), func() {
			c.linef(done, d.Host, c.args[0])
			if d.Token != "" {
				c.linef("To verify it, publish the TXT record %s.%s with the text %s, then run %s.",
					tenancy.DNSLabel, d.Host, d.Token, c.hint("domain", "verify", c.args[0], d.Host))
			}
		})
	}
}

// removed is the result of 'domain remove', in JSON.
type removed struct {
	Slug string `json:"slug"`
	Host string `json:"host"`
}

func removeDomain(ctx context.Context, c *call) error {
	slug, host := c.args[0], c.args[1]
	if err := c.Tenants.RemoveDomain(ctx, slug, host); err != nil {
		return err
	}
	return c.result(removed{slug, host}, func() { c.linef("Removed %s from %s.", host, slug) })
}

func (m *mount) domainMove() *cobra.Command {
	return m.verb(verb{
		use: "move SLUG HOST", short: "Move a domain to another tenant",
		long: `Move a verified domain from one tenant to another, in one transaction. If it is the primary
domain, --new-primary names the domain of SLUG that replaces it.`,
		example: "  $0 domain move schoola www.schoola.example --to schoolb",
		codes:   map[int]string{CodeMissing: ""}, needs: []need{needTenants}, values: m.slugsThenDomains,
		flags: func(f *pflag.FlagSet) {
			f.String("to", "", "slug of the tenant that gets the domain; required")
			f.String("new-primary", "", "domain of SLUG that becomes its primary domain (default: unchanged)")
		},
		run: func(ctx context.Context, c *call) error {
			p := tenancy.MoveDomainParams{
				From: c.args[0], Host: c.args[1], To: flagOf[string](c.cmd, "to"),
				NewPrimary: flagOf[string](c.cmd, "new-primary"),
			}
			if p.To == "" {
				return usagef("--to is missing")
			}
			d, err := c.Tenants.MoveDomain(ctx, p)
			if err != nil {
				return err
			}
			return c.result(toDomainJSON(d), func() { c.linef("Moved %s from %s to %s.", d.Host, p.From, p.To) })
		},
	})
}
