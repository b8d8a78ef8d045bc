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
			long: `List and change the domains of tenants. A verified domain leads requests to its tenant, and belongs to one alone; one of a
tenant's domains is its primary one. A domain that is only claimed leads nobody anywhere.`,
			example: "  $0 domain add schoola www.schoola.example\n  $0 domain list schoola",
		},
		m.domainVerb(
			"list",
			"SLUG",
			"List a tenant's domains",
			"List the domains of a tenant, the primary one first, and those that it claims, with what has to be published to prove them.",
			"  $0 domain list schoola",
			listDomains,
		),
		m.domainVerb("add", "SLUG HOST", "Give a tenant a domain",
			"Give a tenant a domain by the platform's word: it is verified at once. It does not become the primary one.",
			"  $0 domain add schoola www.schoola.example", domainChange((*tenancy.Manager).AddDomain, "has")),
		m.domainVerb(
			"claim",
			"SLUG HOST",
			"Note that a tenant says a domain is its own",
			"Note that a tenant says a domain is its own, and show what it has to publish in the DNS. 'domain verify' looks for that.",
			"  $0 domain claim schoola www.schoola.example",
			domainChange((*tenancy.Manager).ClaimDomain, "claims"),
		),
		m.domainVerb(
			"verify",
			"SLUG HOST",
			"Look whether a claimed domain is the tenant's",
			"Look whether a claimed domain is the tenant's, by what is published in the DNS, and give it to the tenant if it is.",
			"  $0 domain verify schoola www.schoola.example",
			domainChange((*tenancy.Manager).VerifyDomain, "has"),
		),
		m.domainVerb(
			"primary",
			"SLUG HOST",
			"Make a domain the tenant's primary one",
			"Make a verified domain of a tenant its primary one, that links lead to. The one before stays as another.",
			"  $0 domain primary schoola www.schoola.example",
			domainChange((*tenancy.Manager).SetPrimaryDomain, "has as its primary domain"),
		),
		m.domainVerb("remove", "SLUG HOST", "Take a domain from a tenant",
			"Take a domain, or the claim of one, from a tenant; others may have it then. The primary one goes when another is.",
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

// domainChange returns the action that calls a method which changes one domain.
func domainChange(
	method func(m *tenancy.Manager, ctx context.Context, slug, host string) (tenancy.Domain, error), verb string,
) action {
	return func(ctx context.Context, c *call) error {
		d, err := method(c.Tenants, ctx, c.args[0], c.args[1])
		if err != nil {
			return err
		}
		return c.result(toDomainJSON(d), func() {
			c.linef("%s %s %s.", c.args[0], verb, d.Host)
			if d.Token != "" {
				c.linef("To prove it, publish the TXT record %s.%s with the text %s, then run %s.",
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
	return c.result(removed{slug, host}, func() { c.linef("%s has %s no more.", slug, host) })
}

func (m *mount) domainMove() *cobra.Command {
	return m.verb(verb{
		use: "move SLUG HOST", short: "Take a domain from one tenant and give it to another",
		long: `Take a verified domain from one tenant and give it to another, in one transaction. Where it is the primary one,
--new-primary says which other domain of the tenant takes its place.`,
		example: "  $0 domain move schoola www.schoola.example --to schoolb",
		codes:   map[int]string{CodeMissing: ""}, needs: []need{needTenants}, values: m.slugsThenDomains,
		flags: func(f *pflag.FlagSet) {
			f.String("to", "", "slug of the tenant that gets it; required")
			f.String("new-primary", "", "the domain of SLUG that becomes its primary one (default: it stays)")
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
			return c.result(toDomainJSON(d), func() { c.linef("%s has %s, which %s had.", p.To, d.Host, p.From) })
		},
	})
}
