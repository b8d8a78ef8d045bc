package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func (m *mount) backupList() *cobra.Command {
	return m.verb(verb{
		use:   "list [SLUG]",
		short: "List backups",
		long: `List the verified backups of a tenant, or of all tenants: the files in the store that have
a receipt. The backups of a dropped tenant are listed under the slug that it had.

Only backups of this database's registry are listed. With --all-registries, backups of other
databases that share the store are listed, too, and those of earlier releases, whose names contain
no registry (see 'backup adopt').`,
		example: "  $0 backup list schoola\n  $0 backup list --json | jq -r .name",
		needs:   []need{needTenants, needBackups},
		values:  m.slugs,
		flags:   func(f *pflag.FlagSet) { f.Bool("all-registries", false, "also list backups of other databases") },
		run:     listBackups,
	})
}

func listBackups(ctx context.Context, c *call) error {
	var id int64
	everywhere := flagOf[bool](c.cmd, "all-registries")
	if len(c.args) == 1 && !everywhere {
		t, err := c.Tenants.BySlug(ctx, c.args[0])
		if err != nil && !errors.Is(err, tenancy.ErrNotFound) {
			return err
		}
		id = t.ID
	}
	rows := [][]string{{"TENANT", "TAKEN", "ROWS", "SIZE", "VERIFIED", "NAME"}}
	n := 0
	backups := c.Backups.Backups(ctx, id)
	if everywhere {
		backups = c.Backups.AllBackups(ctx)
	}
	for info, err := range backups {
		if err != nil {
			return err
		}
		if len(c.args) == 1 && id == 0 && info.Slug != c.args[0] {
			continue
		}
		n++
		if c.json {
			if err := c.value(info); err != nil {
				return err
			}
			continue
		}
		rows = append(
			rows,
			[]string{info.Slug, moment(info.TakenAt), fmt.Sprint(info.Rows), size(info.Size), string(info.Verified), info.Name},
		)
	}
	if n > 0 && !c.json {
		c.table(rows)
	}
	c.note("%s", count(n, "backup"))
	return nil
}

func (m *mount) backupVerify() *cobra.Command {
	return m.verb(verb{
		use:   "verify SLUG",
		short: "Verify that a backup can be restored",
		long: `Restore a tenant's newest backup, or the one that --backup names, into a scratch schema,
run all checks, and drop the schema. If this succeeds, this program can restore the backup. With
--file-only the file is only read to its end. This verifies that it is complete and signed by a
trusted key.`,
		example: "  $0 backup verify schoola\n  $0 backup verify schoola --backup NAME --file-only",
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needTenants, needBackups},
		values:  m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.String("backup", "", "name of the backup (default: the newest)")
			f.Bool("file-only", false, "only read the file, without a restore")
			anyRegistryFlag(f)
			policyFlags(f)
		},
		run: verifyBackup,
	})
}

// verifiedJSON is the result of a verification, in JSON. Its field names are stable.
type verifiedJSON struct {
	Name     string    `json:"name"`
	Slug     string    `json:"slug"`
	TakenAt  time.Time `json:"taken_at"`
	Tables   int       `json:"tables"`
	Rows     int64     `json:"rows"`
	Restored bool      `json:"restored"` // restored into a scratch schema; else only the file was read

	Warnings []backup.Warning `json:"warnings,omitempty"`
}

func verifyBackup(ctx context.Context, c *call) error {
	info, err := c.findBackup(ctx, c.args[0], flagOf[string](c.cmd, "backup"))
	if err != nil {
		return err
	}
	j := verifiedJSON{Name: info.Name, Slug: info.Slug, TakenAt: info.TakenAt, Tables: info.Tables, Rows: info.Rows}
	if flagOf[bool](c.cmd, "file-only") {
		if _, _, err := c.Backups.Check(ctx, info.Name); err != nil {
			return err
		}
		return c.result(j, func() { c.linef("%s is complete.", info.Name) })
	}
	ctx, end := c.withBar(ctx, "verifying "+info.Slug)
	verified, err := c.Backups.Verify(ctx, info.Name, c.policies())
	end()
	if err != nil {
		return err
	}
	j.Tables, j.Rows, j.Restored, j.Warnings = verified.Tables, verified.Rows, true, verified.Warnings
	return c.result(j, func() {
		c.linef("%s can be restored: %s restored into a scratch schema and compared.", info.Name, count(verified.Rows, "row"))
		c.warnings(verified.Warnings)
	})
}

func (m *mount) backupPrune() *cobra.Command {
	return m.verb(verb{
		use:   "prune SLUG",
		short: "Delete a tenant's old backups",
		long: `Delete the backups of a tenant that no rule keeps. --last N keeps the newest N backups.
--daily N keeps the newest backup of each of the last N days that have one; --weekly and --monthly
work alike. The newest backup is always kept. The command asks for confirmation. Without a terminal
it needs --yes.`,
		example: "  $0 backup prune schoola --last 3 --daily 7 --weekly 4 --monthly 12",
		codes: map[int]string{
			CodeUnconfirmed: "",
			CodeMissing:     "",
		},
		needs:  []need{needTenants, needBackups},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			yesFlag(f)
			f.Int("last", 0, "number of newest backups to keep")
			f.Int("daily", 0, "number of days of which to keep the newest backup")
			f.Int("weekly", 0, "number of weeks of which to keep the newest backup")
			f.Int("monthly", 0, "number of months of which to keep the newest backup")
		},
		run: pruneBackups,
	})
}

// prunedJSON is the result of prune, in JSON. Its field names are stable.
type prunedJSON struct {
	Slug    string   `json:"slug"`
	Removed []string `json:"removed"`
}

func pruneBackups(ctx context.Context, c *call) error {
	r := backup.Retention{
		Last: flagOf[int](c.cmd, "last"), Daily: flagOf[int](c.cmd, "daily"),
		Weekly: flagOf[int](c.cmd, "weekly"), Monthly: flagOf[int](c.cmd, "monthly"),
	}
	if r == (backup.Retention{}) {
		return usagef("--last, --daily, --weekly or --monthly is missing: without a rule everything is kept")
	}
	if slices.Min([]int{r.Last, r.Daily, r.Weekly, r.Monthly}) < 0 {
		return usagef("--last, --daily, --weekly and --monthly cannot be negative")
	}
	t, err := c.Tenants.BySlug(ctx, c.args[0])
	if err != nil {
		return err
	}
	what := fmt.Sprintf("This deletes the backups of %s that no rule keeps (last %d, daily %d, weekly %d, monthly %d).",
		t.Slug, r.Last, r.Daily, r.Weekly, r.Monthly)
	if err := c.confirm(what, t.Slug); err != nil {
		return err
	}
	gone, err := c.Backups.Prune(ctx, t.ID, r)
	written := c.result(prunedJSON{t.Slug, append([]string{}, gone...)}, func() {
		for _, name := range gone {
			c.linef("deleted %s", name)
		}
		c.linef("%s deleted.", count(len(gone), "file"))
	})
	return errors.Join(err, written)
}
