package manage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/migrate"
)

func (m *mount) migrateStatus() *cobra.Command {
	return m.verb(verb{
		use:   "status [SLUG]",
		short: "Show which schemas are behind",
		long: `List the schemas that are behind and those that cannot be migrated. With a slug, --schema
or --shared, list the migrations of one schema and their states. The command changes nothing. With
--check it exits with 4 if a migration is pending.

A schema that a newer program has migrated and that this program can use (newer_compatible) is
listed, but not pending. So is a schema in which files of applied migrations were edited: see
'migrate accept'.

The JSON has one object per listed schema: schema, outcome (current, behind, newer_compatible,
unknown_version, out_of_order, edited, bad_table, missing, unregistered), version, pending, edited and
error. For one schema it has one object per migration: set, source, version, name, file, kind,
transaction, checksum, state (pending, applied, changed, unknown) and applied_at.`,
		example: "  $0 migrate status\n  $0 migrate status schoola\n  $0 migrate status --check --json",
		codes: map[int]string{
			CodeFound:   "with --check: a migration is pending, or a schema cannot be migrated",
			CodeMissing: "no such schema",
		},
		needs:  []need{needMigrations},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.Bool("shared", false, "only the shared schema")
			f.String("schema", "", "only this schema")
			f.Bool("check", false, "exit with 4 if a migration is pending")
		},
		run: func(ctx context.Context, c *call) error {
			schema, err := c.oneSchema(ctx)
			switch {
			case err != nil:
				return err
			case schema != "":
				return c.schemaStatus(ctx, schema, flagOf[bool](c.cmd, "check"))
			case c.Tenants == nil:
				return needTenants(c.App)
			}
			return c.fleetStatus(ctx, migrate.UpAllOptions{}, flagOf[bool](c.cmd, "check"))
		},
	})
}

// stateJSON is the state of one schema, in JSON. Its field names are stable.
type stateJSON struct {
	Schema  string          `json:"schema"`
	Outcome migrate.Outcome `json:"outcome"`
	Version int64           `json:"version"`
	Pending []int64         `json:"pending"`
	Edited  []int64         `json:"edited,omitempty"` // applied versions whose files have changed since
	Error   string          `json:"error,omitempty"`
}

// listed reports whether a schema has to be listed.
func listed(o migrate.Outcome, edited []int64) bool { return o != migrate.Current || len(edited) > 0 }

// why returns what is wrong with the schema, or "".
func (s stateJSON) why() string {
	if s.Error != "" || len(s.Edited) == 0 {
		return s.Error
	}
	return "files edited after they were applied: " + versions(s.Edited)
}

// fleetCount counts schemas by their state.
type fleetCount struct{ behind, unregistered, edited, newer int }

func (n *fleetCount) add(s stateJSON) {
	switch s.Outcome {
	case migrate.Unregistered:
		n.unregistered++
	case migrate.NewerCompatible:
		n.newer++
	case migrate.Current:
	default:
		n.behind++
	}
	if len(s.Edited) > 0 {
		n.edited++
	}
}

func (n fleetCount) String() string {
	text := count(n.behind, "schema") + fmt.Sprintf(" not current, %d unregistered", n.unregistered)
	if n.newer > 0 {
		text += fmt.Sprintf(", %d newer and compatible", n.newer)
	}
	if n.edited > 0 {
		text += fmt.Sprintf(", %d with edited files", n.edited)
	}
	return text
}

// fleetStatus lists the schemas that are not current, among those that the options select. With
// check it returns an error if there are any.
func (c *call) fleetStatus(ctx context.Context, o migrate.UpAllOptions, check bool) error {
	rows := [][]string{{"SCHEMA", "STATE", "VERSION", "PENDING", "WHY"}}
	var n fleetCount
	add := func(s stateJSON) error {
		n.add(s)
		if c.json {
			return c.value(s)
		}
		rows = append(rows, []string{s.Schema, s.Outcome.String(), fmt.Sprint(s.Version), versions(s.Pending), s.why()})
		return nil
	}
	err := c.fleet(ctx, o, add)
	if len(rows) > 1 {
		c.table(rows)
	}
	if err != nil {
		return err
	}
	if !c.json {
		c.note("%s", n)
	}
	if check && n.behind > 0 {
		return &codeError{code: CodeFound}
	}
	return nil
}

// fleet calls add for each schema that is not current or has edited files, the shared schema first.
func (c *call) fleet(ctx context.Context, o migrate.UpAllOptions, add func(stateJSON) error) error {
	if !o.SkipShared {
		s, err := c.Migrations.Status(ctx, c.Migrations.SharedSchema())
		if err != nil {
			return err
		}
		if j := sharedState(s); listed(j.Outcome, j.Edited) {
			if err := add(j); err != nil {
				return err
			}
		}
	}
	if err := c.listed(ctx, o); err != nil {
		return err
	}
	for s, err := range c.Migrations.Fleet(ctx, c.Tenants.Schemas) {
		if err != nil {
			return err
		}
		if !listed(s.Outcome, s.Edited) || slices.Contains(o.Except, s.Schema) ||
			len(o.Only) > 0 && !slices.Contains(o.Only, s.Schema) {
			continue
		}
		j := stateJSON{
			Schema:  s.Schema,
			Outcome: s.Outcome,
			Version: s.Version,
			Pending: slices.Clone(s.Pending),
			Edited:  s.Edited,
		}
		if s.Err != nil {
			j.Error = sentence(s.Err)
		}
		if err := add(j); err != nil {
			return err
		}
	}
	return nil
}

// listed returns an error for a name in Only that no tenant has. Otherwise a typing error would
// look like "current".
func (c *call) listed(ctx context.Context, o migrate.UpAllOptions) error {
	if len(o.Only) == 0 {
		return nil
	}
	left := slices.Clone(o.Only)
	for schema, err := range c.Tenants.Schemas(ctx) {
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(left, func(s string) bool { return s == schema })
	}
	if len(left) > 0 {
		return &migrate.UnlistedError{Option: "Only", Schema: left[0]}
	}
	return nil
}

func sharedState(s migrate.Status) stateJSON {
	j := stateJSON{
		Schema:  s.Schema,
		Outcome: s.Outcome,
		Pending: s.Versions(migrate.Pending),
		Edited:  s.Versions(migrate.Changed),
	}
	for _, v := range s.Versions(migrate.Applied, migrate.Changed, migrate.Unknown) {
		j.Version = max(j.Version, v)
	}
	if s.Err != nil {
		j.Error = sentence(s.Err)
	}
	return j
}

// migrationJSON is one migration in one schema, in JSON. Its field names are stable.
type migrationJSON struct {
	migrate.Migration
	State     migrate.State `json:"state"`
	AppliedAt time.Time     `json:"applied_at,omitzero"`
}

func (c *call) schemaStatus(ctx context.Context, schema string, check bool) error {
	s, err := c.Migrations.Status(ctx, schema)
	if err != nil {
		return err
	}
	rows := [][]string{{"VERSION", "STATE", "APPLIED", "SOURCE", "FILE"}}
	for _, mig := range s.Migrations {
		if c.json {
			if err := c.value(migrationJSON{mig.Migration, mig.State, mig.AppliedAt}); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{fmt.Sprint(mig.Version), string(mig.State), moment(mig.AppliedAt), mig.Source, mig.File})
	}
	if !c.json {
		c.table(rows)
	}
	if s.Err != nil {
		c.note("It cannot be migrated: %s", sentence(s.Err))
	}
	if s.Outcome == migrate.NewerCompatible {
		c.note("A newer program has migrated this schema, and this program is compatible with it.")
	}
	if edited := s.Versions(migrate.Changed); len(edited) > 0 {
		c.note("Files edited after they were applied: %s. 'migrate accept' accepts them.", versions(edited))
	}
	if check && (s.Err != nil || len(s.Versions(migrate.Pending)) > 0) {
		return &codeError{code: CodeFound}
	}
	return nil
}
