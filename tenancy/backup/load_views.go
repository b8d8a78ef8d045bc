package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// viewEdgesSQL reads which views and materialized views of the schema $1 depend on which others.
const viewEdgesSQL = `with v as (
		select c.oid, c.relname, c.relkind, c.relispopulated from pg_depend d join pg_class c on c.oid = d.objid
		where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1
		and d.classid = 'pg_class'::regclass and c.relkind in ('v', 'm')
	)
	select v.relname::text, v.relkind = 'm', v.relispopulated,
		coalesce(array_agg(distinct u.relname::text) filter (where u.oid is not null), '{}')
	from v left join pg_rewrite r on r.ev_class = v.oid
	left join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
		and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid
	left join v u on u.oid = d.refobjid
	group by 1, 2, 3, v.oid order by v.oid`

type view struct {
	name                    string
	materialized, populated bool
	on                      []string // names of the views that it depends on
}

// refresh populates the materialized views, in the order of their dependencies. It first empties
// all of them. A view whose functions read another view has a dependency that no catalog records:
// it fails while the other view is empty, and is tried again. A view whose query fails on the
// current rows is left unpopulated, with a warning.
func (l *loader) refresh(ctx context.Context, h archive.Header) error {
	views, err := l.materializedViews(ctx, h)
	if err != nil {
		return err
	}
	var full []view
	for _, v := range views {
		if err := l.refreshView(ctx, v.name, " with no data"); err != nil {
			return fmt.Errorf("empty materialized view %q: %w", v.name, err)
		}
		if v.populated {
			full = append(full, v)
		}
	}
	for len(full) > 0 {
		var failed []view
		var reasons []error
		for _, v := range full {
			err := l.refreshView(ctx, v.name, "")
			switch {
			case err == nil:
			case ctx.Err() == nil && isEvaluationError(err):
				failed, reasons = append(failed, v), append(reasons, err)
			default:
				return fmt.Errorf("refresh materialized view %q: %w", v.name, err)
			}
		}
		if len(failed) == len(full) {
			for i, v := range failed {
				l.warn(ctx, "materialized view "+v.name,
					fmt.Sprintf("is left unpopulated, because its query fails: %v", reasons[i]))
			}
			return nil
		}
		full = failed
	}
	return nil
}

// materializedViews returns the materialized views in the order of their dependencies. It sets
// populated for those to populate: views that were populated in the archive and, of views that are
// not in the archive, those that the migrations have populated.
func (l *loader) materializedViews(ctx context.Context, h archive.Header) ([]view, error) {
	rows, err := l.conn.Query(ctx, viewEdgesSQL, l.catalog.oid)
	if err != nil {
		return nil, err
	}
	views, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v view, err error) {
		err = row.Scan(&v.name, &v.materialized, &v.populated, &v.on)
		return v, err
	})
	if err != nil {
		return nil, err
	}
	full := make(map[string]bool)
	for _, v := range h.MaterializedViews {
		full[v.Name] = v.Populated
	}
	views = slices.DeleteFunc(sortViews(views), func(v view) bool { return !v.materialized })
	for i, v := range views {
		if populated, known := full[v.name]; known {
			views[i].populated = populated
		}
	}
	return views, nil
}

// refreshView refreshes a materialized view with the tenant's search path. Since PostgreSQL 17 the
// server sets its own one unless it is set in the same transaction.
func (l *loader) refreshView(ctx context.Context, view, data string) error {
	name, err := l.name(view)
	if err != nil {
		return err
	}
	return l.transact(ctx, func(tx pgx.Tx) error {
		sql := "set local search_path = " + l.path + "; refresh materialized view " + name + data
		_, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// sortViews returns the views with each after those that it depends on. Dependencies have no
// cycles.
func sortViews(views []view) []view {
	byName := make(map[string]view, len(views))
	for _, v := range views {
		byName[v.name] = v
	}
	var ordered []view
	seen := make(map[string]bool)
	var visit func(v view)
	visit = func(v view) {
		if seen[v.name] {
			return
		}
		seen[v.name] = true
		for _, on := range v.on {
			visit(byName[on])
		}
		ordered = append(ordered, v)
	}
	for _, v := range views {
		visit(v)
	}
	return ordered
}

// analyze runs ANALYZE on relations of these kinds, in one statement, which commits after each
// table. If an expression of an index or of a statistics object fails, it analyzes them one by one,
// with a warning for each that fails. Since PostgreSQL 17, ANALYZE sets its own search path, so
// that a function fails if it calls others by unqualified names.
func (l *loader) analyze(ctx context.Context, kinds ...string) error {
	rows, err := l.conn.Query(ctx, `select c.relname::text from pg_depend d join pg_class c on c.oid = d.objid
		where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1 and d.classid = 'pg_class'::regclass
		and c.relkind::text = any($2) and not c.relispartition order by c.oid`, l.catalog.oid, kinds)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) == 0 {
		return err
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		if quoted[i], err = l.name(name); err != nil {
			return err
		}
	}
	// Indexes may call functions of the schema, which call others by unqualified names. The setting
	// remains on the connection, which only the loader uses.
	if _, err := l.conn.Exec(ctx, "select set_config('search_path', $1, false)", l.path); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	_, err = l.conn.Exec(ctx, "analyze "+strings.Join(quoted, ", "))
	if err == nil || ctx.Err() != nil || !isEvaluationError(err) {
		return wrapAnalyze(err)
	}
	for i, name := range quoted {
		_, err := l.conn.Exec(ctx, "analyze "+name)
		switch {
		case err == nil:
		case ctx.Err() == nil && isEvaluationError(err):
			l.warn(ctx, "table "+names[i], fmt.Sprintf("has no statistics, or incomplete ones: %v", err))
		default:
			return wrapAnalyze(err)
		}
	}
	return nil
}

func wrapAnalyze(err error) error {
	if err != nil {
		err = fmt.Errorf("analyze: %w", err)
	}
	return err
}
