package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func (m *mount) migrateAccept() *cobra.Command {
	return m.verb(verb{
		use:   "accept [SLUG]",
		short: "Accept edited migration files",
		long: `Accept the files of migrations that were edited after they were applied: each schema gets
the checksums of the current files. 'migrate status' then no longer lists the schema, and a program
that refuses edited files works again. No migration is run.

The command first compares the structure of each schema with what the current files create. It does
not change a schema that differs: undo the edit, and write a new migration instead. --unchecked
skips the comparison. The shared schema is never compared.

Use it after edits of the layout, of comments inside a statement, and of statements that change only
data, such as inserts. Line ends, the Down section and text between statements can be edited without
it.

The JSON has one object per schema with edited files: schema, versions, accepted, differences and
error.`,
		example: "  $0 migrate accept --dry-run\n  $0 migrate accept\n  $0 migrate accept schoola --json",
		codes: map[int]string{
			CodeFailed: "a schema could not be compared or changed", CodeMissing: "no such schema",
			CodeFound: "schemas differ from what the files create, or with --dry-run: there is something to accept",
		},
		needs:  []need{needMigrations},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.String("schema", "", "only this schema")
			f.Bool("shared", false, "only the shared schema")
			f.Bool("unchecked", false, "do not compare structures")
			f.Bool("dry-run", false, "change nothing, and print what would be accepted")
		},
		run: runAccept,
	})
}

// acceptedJSON is the result for one schema, in JSON. Its field names are stable.
type acceptedJSON struct {
	Schema      string   `json:"schema"`
	Versions    []int64  `json:"versions"`
	Accepted    bool     `json:"accepted"`
	Differences []string `json:"differences,omitempty"`
	Error       string   `json:"error,omitempty"`
}

// accepting is one run of the command.
type accepting struct {
	c          *call
	references map[string]drift.Structure // keyed by the applied versions
	different  int
	failed     error
}

func runAccept(ctx context.Context, c *call) error {
	schemas, err := c.editedSchemas(ctx)
	if err != nil {
		return err
	}
	a := &accepting{c: c, references: make(map[string]drift.Structure)}
	for _, schema := range schemas {
		if err := a.one(ctx, schema); err != nil {
			return err
		}
	}
	dry := flagOf[bool](c.cmd, "dry-run")
	switch {
	case len(schemas) == 0:
		c.note("No schema has edited files.")
	case a.failed != nil:
		return &codeError{CodeFailed, a.failed}
	case a.different > 0:
		return &codeError{CodeFound, fmt.Errorf("%s not accepted: the structure differs from what the files create",
			count(a.different, "schema"))}
	case dry:
		return &codeError{code: CodeFound}
	}
	return nil
}

// editedSchemas returns the schemas to check: the named schema, or else those of all tenants and
// the shared one that have edited files.
func (c *call) editedSchemas(ctx context.Context) (schemas []string, err error) {
	schema, err := c.oneSchema(ctx)
	if err != nil || schema != "" {
		return []string{schema}, err
	}
	if c.Tenants == nil {
		return nil, needTenants(c.App)
	}
	err = c.fleet(ctx, migrate.UpAllOptions{}, func(s stateJSON) error {
		if len(s.Edited) > 0 && s.Outcome != migrate.NewerCompatible {
			schemas = append(schemas, s.Schema)
		}
		return nil
	})
	return schemas, err
}

// one accepts the edited files of a schema and prints the result. A failed comparison or acceptance
// is added to a.failed. The error is that of reading the status or of printing.
func (a *accepting) one(ctx context.Context, schema string) error {
	status, err := a.c.Migrations.Status(ctx, schema)
	if err != nil {
		return err
	}
	j := acceptedJSON{Schema: schema, Versions: status.Versions(migrate.Changed)}
	if len(j.Versions) == 0 {
		j.Versions = []int64{}
		return a.tell(j)
	}
	if schema != a.c.Migrations.SharedSchema() && !flagOf[bool](a.c.cmd, "unchecked") {
		if j.Differences, err = a.differences(ctx, status); len(j.Differences) > 0 {
			a.different++
		}
	}
	if err == nil && len(j.Differences) == 0 && !flagOf[bool](a.c.cmd, "dry-run") {
		err = a.write(ctx, &j)
	}
	if err != nil {
		j.Error = sentence(err)
		a.failed = errors.Join(a.failed, err)
	}
	return a.tell(j)
}

func (a *accepting) write(ctx context.Context, j *acceptedJSON) error {
	done, err := a.c.Migrations.Accept(ctx, j.Schema)
	if err != nil {
		return err
	}
	j.Accepted, j.Versions = true, done.Versions
	return a.c.logAccepted(ctx, done)
}

// differences compares a schema with what the current files create at its versions.
func (a *accepting) differences(ctx context.Context, s migrate.Status) ([]string, error) {
	applied := slices.Sorted(slices.Values(s.Versions(migrate.Applied, migrate.Changed, migrate.Unknown)))
	only, err := a.c.Migrations.Subset(applied)
	if err != nil {
		return nil, err
	}
	o := drift.Options{ReadOptions: drift.ReadOptions{Roles: a.c.roles()}, IgnoreOrder: true}
	key := fmt.Sprint(applied)
	reference, ok := a.references[key]
	if !ok {
		if reference, err = drift.Reference(ctx, only, o.ReadOptions); err != nil {
			return nil, err
		}
		a.references[key] = reference
	}
	o.Reference = &reference
	var all []string
	for r, err := range drift.Each(ctx, only, []string{s.Schema}, o) {
		if err != nil {
			return nil, err
		}
		if r.Err != nil && r.State != drift.Edited {
			return nil, r.Err
		}
		for _, d := range r.Differences {
			all = append(all, d.String())
		}
	}
	return all, nil
}

func (a *accepting) tell(j acceptedJSON) error {
	return a.c.result(j, func() {
		switch {
		case j.Error != "":
			a.c.linef("%s: failed: %s", j.Schema, j.Error)
		case len(j.Differences) > 0:
			a.c.linef("%s: not accepted, %d different:", j.Schema, len(j.Differences))
			for _, d := range j.Differences {
				a.c.linef("  %s", d)
			}
		case len(j.Versions) == 0:
			a.c.linef("%s: no edited files.", j.Schema)
		case j.Accepted:
			a.c.linef("%s: accepted %s.", j.Schema, versions(j.Versions))
		default:
			a.c.linef("%s: would accept %s.", j.Schema, versions(j.Versions))
		}
	})
}

func (c *call) logAccepted(ctx context.Context, done migrate.Accepted) error {
	if c.Log == nil || len(done.Versions) == 0 {
		return nil
	}
	e := audit.Entry{Schema: done.Schema, Action: audit.Migration, Details: map[string]any{
		"command": c.cmd.CommandPath(), "accepted": done.Versions, "outcome": "accepted",
	}}
	if done.Schema != c.Migrations.SharedSchema() {
		t, err := c.bySchema(ctx, done.Schema)
		if err != nil {
			return err
		}
		e.Tenant, e.Slug = t.ID, t.Slug
	}
	return c.log(ctx, e)
}
