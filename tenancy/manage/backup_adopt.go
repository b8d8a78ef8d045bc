package manage

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy/backup"
)

func (m *mount) backupAdopt() *cobra.Command {
	return m.verb(verb{
		use:   "adopt [SLUG]",
		short: "Adopt backups of earlier releases",
		long: `Adopt backups that earlier releases made, of one tenant or of all. The names of their files
contain no registry. Each file is copied to a name of this registry, read back, and deleted under
its old name. Until then these backups are not listed and not counted, and their tenants cannot be
erased.

Run it once, on the database that made the backups. Backups of another database are recognized by
the tenant's schema and time of creation, and are left unchanged. So are backups of a dropped
tenant, unless it is known that this database had the tenant. The command prints what it will do and
asks for confirmation. Without a terminal it needs --yes.`,
		example: "  $0 backup adopt\n  $0 backup adopt schoola --yes --json",
		codes: map[int]string{
			CodeUnconfirmed: "",
			CodeMissing:     "",
		},
		needs:  []need{needTenants, needBackups},
		values: m.slugs,
		flags:  func(f *pflag.FlagSet) { yesFlag(f) },
		run:    adoptBackups,
	})
}

// adoptionJSON is the result of backup adopt, in JSON. Its field names are stable.
type adoptionJSON struct {
	Adopted []adoptedJSON `json:"adopted"`
	Removed []string      `json:"removed"`
	Skipped []skippedJSON `json:"skipped"`
}

// adoptedJSON is a file that was adopted under a new name.
type adoptedJSON struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// skippedJSON is a file that stays unchanged.
type skippedJSON struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

func toAdoptionJSON(a backup.AdoptResult) adoptionJSON {
	j := adoptionJSON{Adopted: []adoptedJSON{}, Removed: append([]string{}, a.Removed...), Skipped: []skippedJSON{}}
	for _, f := range a.Adopted {
		j.Adopted = append(j.Adopted, adoptedJSON(f))
	}
	for _, f := range a.Skipped {
		j.Skipped = append(j.Skipped, skippedJSON(f))
	}
	return j
}

func adoptBackups(ctx context.Context, c *call) error {
	var o backup.AdoptOptions
	word := "all"
	if len(c.args) == 1 {
		t, err := c.Tenants.BySlug(ctx, c.args[0])
		if err != nil {
			return err
		}
		o.TenantID, word = t.ID, t.Slug
	}
	o.Plan = true
	plan, err := c.Backups.AdoptBackups(ctx, o)
	if err != nil {
		return err
	}
	if len(plan.Adopted)+len(plan.Removed) > 0 {
		what := fmt.Sprintf("This adopts %s, deletes %s of unfinished backups, and leaves %s unchanged.",
			count(len(plan.Adopted), "file"), count(len(plan.Removed), "file"), count(len(plan.Skipped), "file"))
		if err := c.confirm(what, word); err != nil {
			return err
		}
	}
	o.Plan = false
	done, err := c.Backups.AdoptBackups(ctx, o)
	written := c.result(toAdoptionJSON(done), func() {
		for _, f := range done.Adopted {
			c.linef("adopted %s as %s", f.From, f.To)
		}
		for _, name := range done.Removed {
			c.linef("deleted %s", name)
		}
		for _, f := range done.Skipped {
			c.linef("skipped %s: %s", f.Name, f.Reason)
		}
		c.linef("%s adopted.", count(len(done.Adopted), "file"))
	})
	return errors.Join(err, written)
}
