package manage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/migrate"
)

// schemaFlags adds the flags of a command that works on one schema.
func schemaFlags(f *pflag.FlagSet) {
	f.String("schema", "", "the schema, if no slug names it")
	f.Bool("shared", false, "the shared schema")
}

// theSchema returns the named schema, which is required.
func (c *call) theSchema(ctx context.Context) (string, error) {
	schema, err := c.named(ctx)
	if err == nil && schema == "" {
		err = usagef("SLUG, --schema or --shared is missing")
	}
	return schema, err
}

func (m *mount) migrateDown() *cobra.Command {
	return m.verb(verb{
		use:   "down [SLUG]",
		short: "Undo migrations of a schema",
		long: `Undo the migration of a schema that was applied last, or with --to all migrations newer
than a version. The data in dropped tables and columns is lost. So the command asks for
confirmation; without a terminal it needs --yes. It needs no token and no second person, even if
'tenant drop' does: make a backup first. --dry-run prints the SQL as a script for psql.`,
		example: "  $0 migrate down schoola\n  $0 migrate down schoola --to 3 --dry-run",
		codes: map[int]string{
			CodeUnconfirmed: "", CodeFound: "with --dry-run: there is something to undo", CodeMissing: "no such schema",
		},
		needs:  []need{needMigrations},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			schemaFlags(f)
			yesFlag(f)
			f.Int64("to", -1, "undo all migrations newer than this version; 0 undoes all (default: undo the last one)")
			f.Bool("dry-run", false, "change nothing, and print the SQL")
		},
		run: runDown,
	})
}

func runDown(ctx context.Context, c *call) error {
	schema, err := c.theSchema(ctx)
	if err != nil {
		return err
	}
	to := flagOf[int64](c.cmd, "to")
	if c.cmd.Flags().Changed("to") && to < 0 {
		return usagef("--to is negative")
	}
	doomed, to, err := c.doomed(ctx, schema, to)
	if err != nil {
		return err
	}
	if flagOf[bool](c.cmd, "dry-run") {
		if to == noPlan {
			return usagef("%s is not the newest applied version: --dry-run needs --to", doomed[0])
		}
		plan, err := c.Migrations.PlanDown(ctx, schema, to)
		return c.plan(plan, err)
	}
	if len(doomed) > 0 {
		what := fmt.Sprintf(
			"This undoes %s in schema %s. The data in dropped tables and columns is lost.",
			strings.Join(doomed, ", "),
			schema,
		)
		if err := c.confirm(what, schema); err != nil {
			return err
		}
	}
	if c.cmd.Flags().Changed("to") {
		r, err := c.Migrations.DownTo(ctx, schema, to)
		return c.migrated(ctx, r, err)
	}
	r, err := c.Migrations.Down(ctx, schema)
	return c.migrated(ctx, r, err)
}

// doomed returns the migrations that would be undone, the newest first, and the version to go down
// to. If to is negative, it selects the migration that was applied last.
func (c *call) doomed(ctx context.Context, schema string, to int64) (files []string, version int64, err error) {
	s, err := c.Migrations.Status(ctx, schema)
	if err != nil {
		return nil, 0, err
	}
	applied := slices.DeleteFunc(
		s.Migrations,
		func(mig migrate.MigrationStatus) bool { return mig.State == migrate.Pending },
	)
	if to < 0 && len(applied) > 0 {
		last := slices.MaxFunc(applied, func(a, b migrate.MigrationStatus) int {
			return cmp.Or(a.AppliedAt.Compare(b.AppliedAt), cmp.Compare(a.Version, b.Version))
		})
		if last.Version != applied[len(applied)-1].Version { // several sources took turns: undo only this one
			return []string{fileOf(last)}, noPlan, nil
		}
		to = 0
		if len(applied) > 1 {
			to = applied[len(applied)-2].Version
		}
	}
	for _, mig := range slices.Backward(applied) {
		if mig.Version > to {
			files = append(files, fileOf(mig))
		}
	}
	return files, to, nil
}

// noPlan is the version that doomed returns if the migration to undo is not the newest applied
// version. Then --dry-run cannot show a plan.
const noPlan = -1

func fileOf(mig migrate.MigrationStatus) string {
	return cmp.Or(mig.File, strconv.FormatInt(mig.Version, 10))
}

func (m *mount) migrateRedo() *cobra.Command {
	return m.verb(verb{
		use:   "redo [SLUG]",
		short: "Undo the last migration of a schema and apply it again",
		long: `Undo the migration of a schema that was applied last and apply it again, in one transaction
unless the migration runs without one. It is meant for a migration that is being written. The data
in dropped tables and columns is lost. So the command asks for confirmation; without a terminal it
needs --yes.`,
		example: "  $0 migrate redo schoola --yes",
		codes:   map[int]string{CodeUnconfirmed: "", CodeMissing: "no such schema"},
		needs:   []need{needMigrations},
		values:  m.slugs,
		flags:   func(f *pflag.FlagSet) { schemaFlags(f); yesFlag(f) },
		run: func(ctx context.Context, c *call) error {
			schema, err := c.theSchema(ctx)
			if err != nil {
				return err
			}
			doomed, _, err := c.doomed(ctx, schema, -1)
			if err != nil {
				return err
			}
			if len(doomed) > 0 {
				what := fmt.Sprintf(
					"This undoes %s in schema %s and applies it again. The data in dropped tables and columns is lost.",
					doomed[0],
					schema,
				)
				if err := c.confirm(what, schema); err != nil {
					return err
				}
			}
			r, err := c.Migrations.Redo(ctx, schema)
			return c.migrated(ctx, r, err)
		},
	})
}

func (m *mount) migrateBaseline() *cobra.Command {
	return m.verb(verb{
		use:   "baseline [SLUG]",
		short: "Record migrations as applied without running them",
		long: `Record all migrations up to a version as applied, without running them, for a schema that
had its tables before it had a version table. The command does not check the tables: run 'drift'
afterwards.`,
		example: "  $0 migrate baseline schoola --version 12\n  $0 migrate baseline schoola --version newest",
		codes:   map[int]string{CodeMissing: "no such schema"},
		needs:   []need{needMigrations},
		values:  m.slugs,
		flags: func(f *pflag.FlagSet) {
			schemaFlags(f)
			f.String("version", "", "last version that the schema has, or newest; required")
		},
		run: func(ctx context.Context, c *call) error {
			schema, err := c.theSchema(ctx)
			if err != nil {
				return err
			}
			text := flagOf[string](c.cmd, "version")
			version, err := strconv.ParseInt(text, 10, 64)
			switch {
			case text == "newest":
				version = migrate.Newest
			case text == "":
				return usagef("--version is missing")
			case err != nil || version <= 0:
				return usagef("--version %q is neither a version nor newest", text)
			}
			r, err := c.Migrations.Baseline(ctx, schema, version)
			return c.migrated(ctx, r, err)
		},
	})
}
