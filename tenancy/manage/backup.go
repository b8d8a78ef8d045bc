package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func (m *mount) backup() *cobra.Command {
	cmd := m.verb(verb{
		use: "backup [SLUG...]", short: "Back up tenants",
		long: `Back up tenants into the program's store, each into a file of its own, as it was at one moment. A tenant is backed up when the
stored file has been read back and found good; until then nothing says so. One that fails does not stop the others. A tenant whose
slug is that of a command comes behind --: 'backup -- list'.

With --due it does what the program's schedule says is due, which also removes old backups.

In JSON there is an object for each backup: its receipt, as backup.Info has it. With --due it is one object: due, done, failed.`,
		example: "  $0 backup schoola\n  $0 backup --all --parallel 4\n  $0 backup --due",
		codes:   map[int]string{CodeMissing: ""}, needs: []need{needTenants, needBackups}, values: m.manySlugs,
		flags: func(f *pflag.FlagSet) {
			f.Bool("all", false, "all tenants that have something to back up")
			f.Bool("due", false, "what the schedule says is due")
			f.Int("parallel", 2, "tenants at a time")
			f.Bool("allow-drift", false, "also of a schema that is not what its migrations make; the differences are recorded")
		},
		run: runBackup,
	})
	cmd.AddCommand(m.backupList(), m.backupVerify(), m.backupPrune())
	return cmd
}

// backedUp are the statuses of tenants that have something to back up.
func backedUp() []tenancy.Status {
	return []tenancy.Status{tenancy.Active, tenancy.Suspended, tenancy.Maintenance}
}

func runBackup(ctx context.Context, c *call) error {
	all, due := flagOf[bool](c.cmd, "all"), flagOf[bool](c.cmd, "due")
	switch {
	case all && due, (all || due) && len(c.args) > 0:
		return usagef("slugs, --all and --due exclude each other")
	case due:
		return c.backUpDue(ctx)
	case all:
		return c.backUpAll(ctx)
	case len(c.args) == 0:
		return usagef("SLUG, --all or --due is missing")
	}
	var failed []error
	for _, slug := range c.args {
		if err := c.backUp(ctx, slug); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// backUp backs up one tenant, and says and logs it.
func (c *call) backUp(ctx context.Context, slug string) error {
	ctx, end := c.withBar(ctx, "backing up "+slug)
	info, err := c.Backups.Backup(ctx, slug, c.backupOptions())
	end()
	if err != nil {
		return fmt.Errorf("back up %q: %w", slug, err)
	}
	return c.backUpDone(ctx, info)
}

func (c *call) backUpDone(ctx context.Context, info backup.Info) error {
	logged := c.log(context.WithoutCancel(ctx), audit.Entry{
		Tenant: info.TenantID, Slug: info.Slug, Schema: info.Schema, Action: audit.Backup,
		Details: map[string]any{"backup": info.Name, "rows": info.Rows},
	})
	return errors.Join(logged, c.result(info, func() {
		c.linef("Backed up %s: %s of %s in %s, %s, read back.", info.Slug, count(info.Rows, "row"), count(info.Tables, "table"), info.Name, size(info.Size))
		for _, d := range info.Differences {
			c.linef("  recorded: %s", d)
		}
	}))
}

func (c *call) backupOptions() backup.BackupOptions {
	if flagOf[bool](c.cmd, "allow-drift") {
		return backup.BackupOptions{Drift: backup.DriftRecord}
	}
	return backup.BackupOptions{}
}

func (c *call) backUpAll(ctx context.Context) error {
	total := 0
	filter := tenancy.Filter{Statuses: backedUp(), Limit: tenancy.MaxPageSize}
	for _, err := range c.Tenants.All(ctx, filter) {
		if err != nil {
			return err
		}
		total++
	}
	bar := c.progress("backing up", "tenant")
	defer bar.end()
	var mu sync.Mutex // of the bar and the output
	done, failed := 0, 0
	report, err := c.Tenants.ForEach(ctx, func(ctx context.Context, t *tenancy.Tenant) error {
		info, err := c.Backups.Backup(ctx, t.Slug, c.backupOptions())
		mu.Lock()
		defer mu.Unlock()
		done++
		if err != nil {
			failed++
			bar.linef("%s: %s", t.Slug, sentence(err))
		} else {
			bar.above(func() { err = c.backUpDone(ctx, info) })
		}
		bar.of(done, max(total, done), failed)
		return err
	}, tenancy.ForEachOptions{Workers: flagOf[int](c.cmd, "parallel"), Filter: filter})
	bar.end()
	if err == nil {
		c.note("%s", count(len(report.Results), "tenant"))
	}
	if report.Err() != nil {
		return &codeError{CodeFailed, err}
	}
	return err
}

// dueJSON is what the schedule did, in JSON. Its names stay.
type dueJSON struct {
	Due    int `json:"due"`
	Done   int `json:"done"`
	Failed int `json:"failed"`
}

func (c *call) backUpDue(ctx context.Context) error {
	if c.Schedule == nil {
		return notConfigured("a schedule of backups")
	}
	r, err := c.Schedule.RunDue(ctx)
	written := c.result(dueJSON{r.Due, r.Done, r.Failed}, func() {
		c.linef("%s due, %d done, %d failed.", count(r.Due, "run"), r.Done, r.Failed)
	})
	return errors.Join(err, written)
}

func (m *mount) backupList() *cobra.Command {
	return m.verb(verb{
		use: "list [SLUG]", short: "List backups",
		long: `List the verified backups of a tenant, or of all: those that have a receipt in the store. Of a tenant that is gone they are
listed by the slug that it had.`,
		example: "  $0 backup list schoola\n  $0 backup list --json | jq -r .name",
		needs:   []need{needTenants, needBackups}, values: m.slugs,
		run: listBackups,
	})
}

func listBackups(ctx context.Context, c *call) error {
	var id int64
	if len(c.args) == 1 {
		t, err := c.Tenants.BySlug(ctx, c.args[0])
		if err != nil && !errors.Is(err, tenancy.ErrNotFound) {
			return err
		}
		id = t.ID
	}
	rows := [][]string{{"TENANT", "TAKEN", "ROWS", "SIZE", "VERIFIED", "NAME"}}
	n := 0
	for info, err := range c.Backups.Backups(ctx, id) {
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
		rows = append(rows, []string{info.Slug, moment(info.TakenAt), fmt.Sprint(info.Rows), size(info.Size), string(info.Verified), info.Name})
	}
	if n > 0 && !c.json {
		c.table(rows)
	}
	c.note("%s", count(n, "backup"))
	return nil
}

func (m *mount) backupVerify() *cobra.Command {
	return m.verb(verb{
		use: "verify SLUG", short: "Look whether a backup is good",
		long: `Restore a tenant's newest backup, or the one that --backup names, into a schema beside everything, with all checks, and drop
that again: when it succeeds the backup can be restored by this program. With --file-only the file alone is read, to its end: that
it is whole, and signed by whom the program trusts.`,
		example: "  $0 backup verify schoola\n  $0 backup verify schoola --backup NAME --file-only",
		codes:   map[int]string{CodeMissing: ""}, needs: []need{needTenants, needBackups}, values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.String("backup", "", "the name of the backup (default: the newest)")
			f.Bool("file-only", false, "read the file alone")
			policyFlags(f)
		},
		run: verifyBackup,
	})
}

// verifiedJSON is a backup that was found good, in JSON. Its names stay.
type verifiedJSON struct {
	Name     string    `json:"name"`
	Slug     string    `json:"slug"`
	TakenAt  time.Time `json:"taken_at"`
	Tables   int       `json:"tables"`
	Rows     int64     `json:"rows"`
	Restored bool      `json:"restored"` // into scratch; else the file alone was read
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
		return c.result(j, func() { c.linef("%s is whole.", info.Name) })
	}
	ctx, end := c.withBar(ctx, "restoring "+info.Slug+" into scratch")
	drill, err := c.Backups.Verify(ctx, info.Name, c.policies())
	end()
	if err != nil {
		return err
	}
	j.Tables, j.Rows, j.Restored = drill.Tables, drill.Rows, true
	return c.result(j, func() {
		c.linef("%s can be restored: %s, compared in a schema that is gone again.", info.Name, count(drill.Rows, "row"))
	})
}

func (m *mount) backupPrune() *cobra.Command {
	return m.verb(verb{
		use: "prune SLUG", short: "Remove a tenant's older backups",
		long: `Remove those of a tenant's backups that no rule keeps: --last keeps the newest so many, --daily the newest of each of the last
so many days that have one, and so on. The newest is always kept. It says what goes and asks; without a terminal it needs --yes.`,
		example: "  $0 backup prune schoola --last 3 --daily 7 --weekly 4 --monthly 12",
		codes:   map[int]string{CodeUnconfirmed: "", CodeMissing: ""}, needs: []need{needTenants, needBackups}, values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			yesFlag(f)
			for _, rule := range []string{"last", "daily", "weekly", "monthly"} {
				f.Int(rule, 0, "keep so many")
			}
		},
		run: pruneBackups,
	})
}

// prunedJSON is what prune removed, in JSON. Its names stay.
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
		return usagef("a rule cannot keep fewer than none")
	}
	t, err := c.Tenants.BySlug(ctx, c.args[0])
	if err != nil {
		return err
	}
	what := fmt.Sprintf("This removes the backups of %s that no rule keeps (last %d, daily %d, weekly %d, monthly %d).",
		t.Slug, r.Last, r.Daily, r.Weekly, r.Monthly)
	if err := c.confirm(what, t.Slug); err != nil {
		return err
	}
	gone, err := c.Backups.Prune(ctx, t.ID, r)
	written := c.result(prunedJSON{t.Slug, append([]string{}, gone...)}, func() {
		for _, name := range gone {
			c.linef("removed %s", name)
		}
		c.linef("%s removed.", count(len(gone), "file"))
	})
	return errors.Join(err, written)
}
