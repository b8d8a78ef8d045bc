package manage

import (
	"context"
	"errors"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func (m *mount) backup() *cobra.Command {
	cmd := m.verb(verb{
		use:   "backup [SLUG...]",
		short: "Back up tenants",
		long: `Back up tenants to the program's store, each to a file of its own that contains one
snapshot. A backup succeeds only after the stored file was read back and verified. A tenant that
fails does not stop the others. Write -- before a slug that is the name of a subcommand: 'backup --
list'.

With --due it runs the backups that are due by the program's schedule, and deletes old backups.

The JSON has one object per backup: its receipt, backup.Info. With --due it is one object with due,
done and failed.`,
		example: "  $0 backup schoola\n  $0 backup --all --parallel 4\n  $0 backup --due",
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needTenants, needBackups},
		values:  m.manySlugs,
		flags: func(f *pflag.FlagSet) {
			f.Bool("all", false, "all tenants that are active, suspended or in maintenance")
			f.Bool("due", false, "what is due by the schedule")
			f.Int("parallel", 2, "tenants at a time")
			f.Bool("allow-drift", false, "also back up a schema that differs from its migrations, and record the differences")
		},
		run: runBackup,
	})
	cmd.AddCommand(m.backupList(), m.backupVerify(), m.backupPrune(), m.backupAdopt())
	return cmd
}

// backedUp returns the statuses in which a tenant is backed up.
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
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// backUp backs up one tenant, prints the result and writes it to the access log.
func (c *call) backUp(ctx context.Context, slug string) error {
	ctx, end := c.withBar(ctx, "backing up "+slug)
	info, err := c.Backups.Backup(ctx, slug, c.backupOptions())
	end()
	if err != nil {
		return err
	}
	return c.backUpDone(ctx, info)
}

func (c *call) backUpDone(ctx context.Context, info backup.Info) error {
	logged := c.log(context.WithoutCancel(ctx), audit.Entry{
		Tenant: info.TenantID, Slug: info.Slug, Schema: info.Schema, Action: audit.Backup,
		Details: map[string]any{"backup": info.Name, "rows": info.Rows},
	})
	return errors.Join(logged, c.result(info, func() {
		c.linef("Backed up %s: %s of %s to %s, %s, read back and verified.",
			info.Slug, count(info.Rows, "row"), count(info.Tables, "table"), info.Name, size(info.Size))
		for _, d := range info.Differences {
			c.linef("  recorded difference: %s", d)
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
	var mu sync.Mutex // guards the bar and the output
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

// dueJSON is the result of a run of the schedule, in JSON. Its field names are stable.
type dueJSON struct {
	Due    int `json:"due"`
	Done   int `json:"done"`
	Failed int `json:"failed"`
}

func (c *call) backUpDue(ctx context.Context) error {
	if c.Schedule == nil {
		return notConfigured("a backup schedule")
	}
	r, err := c.Schedule.RunDue(ctx)
	written := c.result(dueJSON{r.Due, r.Done, r.Failed}, func() {
		c.linef("%s due, %d done, %d failed.", count(r.Due, "run"), r.Done, r.Failed)
	})
	return errors.Join(err, written)
}
