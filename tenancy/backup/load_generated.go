package backup

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// generatedSQL reads the stored generated columns of the tables $1 whose expressions call functions
// that may read other rows. For each it reads the expression and a column that the expression uses:
// an update of that column recomputes it. Columns that are identities GENERATED ALWAYS come last,
// because the server refuses to update them.
const generatedSQL = `select t.relname::text, a.attname::text, pg_get_expr(g.adbin, g.adrelid),
		b.attname::text, b.attidentity = 'a'
	from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attgenerated = 's' and not a.attisdropped
	join pg_attrdef g on g.adrelid = t.oid and g.adnum = a.attnum
	cross join lateral (
		select b.attname, b.attidentity from pg_depend d
		join pg_attribute b on b.attrelid = t.oid and b.attnum = d.refobjsubid
		where d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and b.attnum > 0 and b.attnum <> a.attnum
		and (d.classid = 'pg_attrdef'::regclass and d.objid = g.oid
			or d.classid = 'pg_class'::regclass and d.objid = t.oid and d.objsubid = a.attnum)
		order by b.attidentity = 'a', b.attnum limit 1
	) b
	where t.oid = any($1::oid[]) and t.relkind = 'r' and exists (
		select from pg_depend d left join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
		join pg_proc f on f.oid = case when d.refclassid = 'pg_proc'::regclass then d.refobjid else o.oprcode::oid end
		where (d.classid = 'pg_attrdef'::regclass and d.objid = g.oid
			or d.classid = 'pg_class'::regclass and d.objid = t.oid and d.objsubid = a.attnum)
		and f.pronamespace <> 'pg_catalog'::regnamespace
		and not exists (select from pg_depend e
			where e.classid = 'pg_proc'::regclass and e.objid = f.oid and e.deptype = 'e'))
	order by t.oid, a.attnum`

// generatedColumn is a generated column and a column base that its expression uses.
type generatedColumn struct {
	table, name, expression, base string
	identity                      bool // whether base is an identity GENERATED ALWAYS
}

// generate recomputes the generated columns that may depend on rows of other tables, because those
// rows may have been missing when their own rows were loaded.
func (l *loader) generate(ctx context.Context) error {
	var columns []generatedColumn
	err := l.transact(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, generatedSQL, l.oids)
		if err != nil {
			return err
		}
		columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c generatedColumn, err error) {
			err = row.Scan(&c.table, &c.name, &c.expression, &c.base, &c.identity)
			return c, err
		})
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range columns {
		sql, err := l.generateSQL(c)
		if err == nil {
			err = l.execWithRetry(ctx, sql)
		}
		if err != nil && ctx.Err() == nil && isRefusal(err) {
			return &RowsError{Table: c.table, Object: c.name, Err: err}
		}
		if err != nil {
			return fmt.Errorf("table %q: generated column %q: %w", c.table, c.name, err)
		}
	}
	return nil
}

func (l *loader) generateSQL(c generatedColumn) (string, error) {
	on, quoted, err := l.quoteObject(c.table, c.name)
	if err != nil {
		return "", err
	}
	base, err := quoteOne(c.base)
	sql := fmt.Sprintf(`update only %s set %s = %[2]s where %s::text collate "C" is distinct from (%s)::text collate "C"`,
		on, base, quoted, c.expression)
	if c.identity {
		set := "alter table " + on + " alter column " + base + " set generated "
		sql = set + "by default; " + sql + "; " + set + "always"
	}
	return sql, err
}

// calledByIndexesSQL reads the indexes of the tables $1 that call functions which may read other
// rows.
const calledByIndexesSQL = `select x.relname::text from pg_index i join pg_class x on x.oid = i.indexrelid
	where i.indrelid = any($1::oid[]) and x.relkind = 'i' and ` + indexCallsSQL + ` order by x.oid`

// reindex rebuilds indexes whose expressions may depend on rows that were missing when their own
// rows were loaded. Such rows are in the same table, or in a table that the archive has in another
// order. An index that cannot be rebuilt stays as it is, with a log record. A possible reason is
// that PostgreSQL 17 and newer set their own search path for REINDEX.
func (l *loader) reindex(ctx context.Context) error {
	var names []string
	err := l.transact(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, calledByIndexesSQL, l.oids)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		quoted, err := l.name(name)
		if err == nil {
			err = l.execWithRetry(ctx, "reindex index "+quoted)
		}
		switch {
		case err == nil:
		case ctx.Err() == nil && isEvaluationError(err):
			l.s.cfg.Logger.WarnContext(ctx, "index not rebuilt",
				slog.String("schema", l.schema), slog.String("index", name), slog.Any("error", err))
		default:
			return fmt.Errorf("index %q: %w", name, err)
		}
	}
	return nil
}
