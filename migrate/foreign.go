package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// ForeignTableError is returned by [Runner.Up] and [Runner.UpAll] if the schema of the shared
// migrations has a table of another program whose name is that of a table of a [SchemaFS]. Nothing
// was changed.
type ForeignTableError struct {
	Schema, Table string
	Source        string // the source that would create it
}

// Error returns the table and the options to set.
func (e *ForeignTableError) Error() string {
	return fmt.Sprintf(
		"schema %q has a table %q of another program, which the migrations of %q would make: set SharedSchema of "+
			"migrate.Config, and RegistrySchema of tenancy.Config, to another schema, such as \"tenancy\"",
		e.Schema,
		e.Table,
		e.Source,
	)
}

// checkForeign looks for tables of other programs before the first migration of a shared source.
func (r *Runner) checkForeign(ctx context.Context, t target, st state) error {
	if t.kind != SharedSet {
		return nil
	}
	for _, src := range r.cfg.Shared {
		files, ok := src.FS.(SchemaFS)
		if !ok || t.begun(src, st) {
			continue
		}
		var table string
		err := r.pool.QueryRow(ctx, `select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = $1 and c.relname = any ($2::text[]) order by 1 limit 1`,
			pgx.QueryExecModeExec, t.schema, files.Tables()).Scan(&table)
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err == nil { // the table may be another runner's work; its versions are committed with its tables
			st, err = readVersions(ctx, r.pool, t)
		}
		if err != nil {
			return t.wrap(err)
		}
		if !t.begun(src, st) {
			return t.wrap(&ForeignTableError{Schema: t.schema, Table: table, Source: src.Name})
		}
	}
	return nil
}

// begun reports whether a migration of the source is applied.
func (t target) begun(src Source, st state) bool {
	return slices.ContainsFunc(st.applied, func(a appliedVersion) bool {
		m := t.set.find(a.version)
		return m != nil && m.source == src.Name
	})
}
