package manage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

func (m *mount) check() *cobra.Command {
	return m.verb(verb{
		use:   "check",
		short: "Check that the database is safe to serve, and summarize the tenants",
		long: `Check whether one tenant could reach another tenant's data, as the program does when it
starts. Then summarize the tenants: the server's version, tenants by status, schemas that are
behind, and the oldest of the tenants' last backups. With --drift it also compares the structure of
each schema with its migrations. The command changes nothing.

A finding with severity refuse breaks the isolation. A finding with severity warn weakens it and may
be intended.`,
		example: "  $0 check\n  $0 check --drift --json",
		codes: map[int]string{
			CodeUnsafe: "a finding has severity refuse: do not serve",
			CodeFound:  "with --drift: schemas differ from their migrations",
		},
		needs: []need{needRuntime},
		flags: func(f *pflag.FlagSet) { f.Bool("drift", false, "also compare the structure of schemas") },
		run:   runCheck,
	})
}

// checkJSON is the result of check, in JSON. Its field names are stable. A field is omitted if the
// program has not configured what it needs.
type checkJSON struct {
	OK       bool           `json:"ok"`     // false if a finding has the severity refuse
	Server   string         `json:"server"` // its version
	Database string         `json:"database"`
	Login    string         `json:"login"` // the login that was checked
	Level    string         `json:"level"`
	Findings []findingJSON  `json:"findings"`
	Omitted  int            `json:"omitted"` // number of findings that are not listed
	Tenants  map[string]int `json:"tenants,omitempty"`
	Behind   *int           `json:"behind,omitempty"` // schemas that are not current
	Edited   *int           `json:"edited,omitempty"` // schemas with an applied migration whose file was edited later
	Drift    *int           `json:"drift,omitempty"`  // schemas that differ
	Backups  *backupsJSON   `json:"backups,omitempty"`
}

type findingJSON struct {
	Code     admin.Code `json:"code"`
	Severity string     `json:"severity"` // warn or refuse
	Object   string     `json:"object"`
	Message  string     `json:"message"`
}

// backupsJSON summarizes the backups of the tenants that can have one.
type backupsJSON struct {
	Without    int       `json:"without"`               // number of tenants without a backup
	OldestSlug string    `json:"oldest_slug,omitempty"` // the tenant whose newest backup is the oldest
	OldestAt   time.Time `json:"oldest_at,omitzero"`
}

func runCheck(ctx context.Context, c *call) error {
	conn := c.Runtime.Config().ConnConfig
	sum := checkJSON{Database: conn.Database, Login: conn.User, Level: c.Check.Level.String(), Findings: []findingJSON{}}
	if err := c.Runtime.QueryRow(ctx, "select current_setting('server_version')").Scan(&sum.Server); err != nil {
		return err
	}
	report, err := admin.Check(ctx, c.Runtime, c.Check)
	if err != nil {
		return err
	}
	sum.OK = report.Err() == nil
	for _, f := range report.Findings {
		sum.Findings = append(sum.Findings, findingJSON{f.Code, f.Severity.String(), f.Object, f.Message})
	}
	for _, n := range report.Omitted {
		sum.Omitted += n
	}
	found, err := c.sumUp(ctx, &sum)
	if err != nil {
		return err
	}
	if err := c.result(sum, func() { c.checked(sum) }); err != nil {
		return err
	}
	if !sum.OK { // the findings are printed already
		return &codeError{CodeUnsafe, admin.ErrUnsafe}
	}
	return driftError(found)
}

// sumUp adds the state of the tenants to sum.
func (c *call) sumUp(ctx context.Context, sum *checkJSON) (report drift.Report, err error) {
	if c.Tenants == nil {
		return report, nil
	}
	var tenants []tenancy.Tenant
	sum.Tenants = map[string]int{}
	for t, err := range c.Tenants.All(ctx, tenancy.Filter{Statuses: allStatuses(), Limit: tenancy.MaxPageSize}) {
		if err != nil {
			return report, err
		}
		sum.Tenants[string(t.Status)]++
		tenants = append(tenants, tenancy.Tenant{ID: t.ID, Slug: t.Slug, Status: t.Status})
	}
	if c.Migrations != nil {
		var n fleetCount
		err := c.fleet(ctx, migrate.UpAllOptions{}, func(s stateJSON) error {
			n.add(s)
			return nil
		})
		if err != nil {
			return report, err
		}
		sum.Behind, sum.Edited = &n.behind, &n.edited
	}
	if c.Backups != nil {
		if sum.Backups, err = c.oldestBackup(ctx, tenants); err != nil {
			return report, err
		}
	}
	if c.Migrations == nil || !flagOf[bool](c.cmd, "drift") {
		return report, nil
	}
	report, err = c.driftReport(ctx, drift.Options{ReadOptions: drift.ReadOptions{Roles: c.roles()}})
	different := len(report.Results)
	sum.Drift = &different
	return report, err
}

func allStatuses() (all []tenancy.Status) {
	for _, s := range statuses {
		all = append(all, tenancy.Status(s))
	}
	return all
}

// oldestBackup finds the newest backup of each tenant that can have one. It returns the oldest of
// these, and the number of tenants without a backup.
func (c *call) oldestBackup(ctx context.Context, tenants []tenancy.Tenant) (*backupsJSON, error) {
	last := map[int64]time.Time{}
	for info, err := range c.Backups.Backups(ctx, 0) {
		if err != nil {
			return nil, err
		}
		if info.TakenAt.After(last[info.TenantID]) && !info.Ahead(time.Now()) {
			last[info.TenantID] = info.TakenAt
		}
	}
	sum := &backupsJSON{}
	for _, t := range tenants {
		if !slices.Contains([]tenancy.Status{tenancy.Active, tenancy.Suspended, tenancy.Maintenance}, t.Status) {
			continue
		}
		at, ok := last[t.ID]
		switch {
		case !ok:
			sum.Without++
		case sum.OldestSlug == "" || at.Before(sum.OldestAt):
			sum.OldestSlug, sum.OldestAt = t.Slug, at
		}
	}
	return sum, nil
}

func (c *call) checked(sum checkJSON) {
	if len(sum.Findings) > 0 {
		rows := [][]string{{"SEVERITY", "CODE", "FINDING"}}
		for _, f := range sum.Findings {
			rows = append(rows, []string{f.Severity, string(f.Code), f.Message})
		}
		c.table(rows)
		if sum.Omitted > 0 {
			c.linef("and %d more", sum.Omitted)
		}
		c.linef("")
	}
	safe := "no violation found"
	if !sum.OK {
		safe = "violated: do not serve tenants"
	}
	c.fields(
		"server", "PostgreSQL "+sum.Server,
		"database", sum.Database,
		"login", sum.Login,
		"level", sum.Level,
		"isolation", safe,
		"tenants", tenantsText(sum.Tenants),
		"migrations", countText(sum.Behind, "not current", "all schemas are current"),
		"edited files", countText(sum.Edited, "affected by an edited file", "no schema is affected"),
		"drift", countText(sum.Drift, "different", "no schema is different"),
		"backups", backupsText(sum.Backups),
	)
}

func tenantsText(n map[string]int) (text string) {
	for _, s := range statuses {
		if n[s] > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", n[s], s)
		}
	}
	if text == "" && n != nil {
		return "none"
	}
	return text
}

func countText(n *int, what, none string) string {
	switch {
	case n == nil:
		return ""
	case *n == 0:
		return none
	}
	return count(*n, "schema") + " " + what
}

func backupsText(b *backupsJSON) string {
	if b == nil {
		return ""
	}
	text := ""
	if b.OldestSlug != "" {
		text = fmt.Sprintf("oldest last backup: %s, %s", b.OldestSlug, age(b.OldestAt, time.Now()))
	}
	if b.Without > 0 {
		without := count(b.Without, "tenant") + " without a backup"
		if text == "" {
			return without
		}
		return without + "; " + text
	}
	if text == "" {
		return "no tenant needs a backup"
	}
	return text
}
