package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func (m *mount) audit() *cobra.Command {
	return m.group(group{
		use:   "audit",
		short: "Read, verify and export the access log",
		long: `Read, verify and export the access log, which records who did what to which tenant. Its
records form hash chains, so that a changed or deleted record is detected.`,
		example: "  $0 audit tail schoola -n 50\n  $0 audit verify\n" +
			"  $0 audit export --since 720h --format csv --out march.csv",
	}, m.auditTail(), m.auditVerify(), m.auditHeads(), m.auditExport())
}

// recordFlags adds the flags that select records.
func recordFlags(f *pflag.FlagSet) {
	f.Bool("platform", false, "only records that belong to no tenant")
	f.Int64("tenant-id", 0, "only records of the tenant with this id, which may have been dropped")
	f.StringSlice("action", nil, "only these actions: create, backup, login_failed, ...")
	f.String("actor", "", "only records of this actor")
	f.String("since", "", "only records from this time on: "+
		"a time such as 2026-01-31T12:00:00Z, a day, or an age such as 36h")
	f.String("until", "", "only records before this time")
}

func (c *call) records(ctx context.Context) (f audit.Filter, err error) {
	id, named, err := c.logTenant(ctx)
	if err != nil {
		return f, err
	}
	if named {
		f.Tenants = []int64{id}
	}
	for _, a := range flagOf[[]string](c.cmd, "action") {
		f.Actions = append(f.Actions, audit.Action(a))
	}
	f.Actor = flagOf[string](c.cmd, "actor")
	if f.Since, err = c.timeFlag("since"); err == nil {
		f.Until, err = c.timeFlag("until")
	}
	return f, err
}

// logTenant returns the id of the tenant that the argument or a flag names; 0 is the platform.
// named is false if neither is given.
func (c *call) logTenant(ctx context.Context) (id int64, named bool, err error) {
	platform, id := flagOf[bool](c.cmd, "platform"), flagOf[int64](c.cmd, "tenant-id")
	given := 0
	for _, is := range []bool{platform, id != 0, len(c.args) == 1} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return 0, false, usagef("SLUG, --tenant-id and --platform exclude each other")
	case given == 0:
		return 0, false, nil
	case len(c.args) == 0:
		return id, true, nil
	}
	if err := needTenants(c.App); err != nil {
		return 0, false, err
	}
	t, err := c.Tenants.BySlug(ctx, c.args[0])
	if errors.Is(err, tenancy.ErrNotFound) {
		err = fmt.Errorf("%w; for a dropped tenant use --tenant-id", err)
	}
	return t.ID, true, err
}

func (c *call) timeFlag(name string) (time.Time, error) {
	text := flagOf[string](c.cmd, name)
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--%s %q is neither a time, such as 2026-01-31T12:00:00Z, nor an age, such as 36h",
		name, text)
}
