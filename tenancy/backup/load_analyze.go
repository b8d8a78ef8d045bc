package backup

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

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
	if err == nil || ctx.Err() != nil || !isEvaluation(err) {
		return wrapAnalyze(err)
	}
	for i, name := range quoted {
		_, err := l.conn.Exec(ctx, "analyze "+name)
		switch {
		case err == nil:
		case ctx.Err() == nil && isEvaluation(err):
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
