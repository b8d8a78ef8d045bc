package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
)

// periodSQL is a condition on the foreign key c: it has a PERIOD, which exists since PostgreSQL 18.
const periodSQL = `coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false)`

// orphansSQL creates, for each valid foreign key of the tables of the schema $1, the condition that
// rows violate it, as the server checks it in VALIDATE CONSTRAINT. It omits keys for which the
// login lacks the SELECT privilege. In a key with a PERIOD, which is its last column, the
// referenced rows together must cover the period.
const orphansSQL = `select t.relname::text, c.conname::text, case when period.has then
		format('exists (select from %s %s f where %s and not coalesce(('
			|| 'select %s operator(pg_catalog.<@) range_agg(%s) from %s %s p where %s), false))',
		case when t.relkind = 'p' then '' else 'only' end, t.oid::regclass,
		string_agg(format('f.%I is not null', fa.attname), ' and ' order by k.i),
		max(format('f.%I', fa.attname)) filter (where k.i = cardinality(c.conkey)),
		max(format('p.%I', pa.attname)) filter (where k.i = cardinality(c.conkey)),
		case when r.relkind = 'p' then '' else 'only' end, r.oid::regclass,
		string_agg(format('p.%I operator(%I.%s) f.%I', pa.attname, n.nspname, o.oprname, fa.attname), ' and ' order by k.i)
			filter (where k.i < cardinality(c.conkey)))
	else format('exists (select from %s %s f left join %s %s p on %s where p.%I is null and %s)',
		case when t.relkind = 'p' then '' else 'only' end, t.oid::regclass,
		case when r.relkind = 'p' then '' else 'only' end, r.oid::regclass,
		string_agg(format('p.%I operator(%I.%s) f.%I', pa.attname, n.nspname, o.oprname, fa.attname), ' and ' order by k.i),
		min(pa.attname) filter (where k.i = 1),
		case when c.confmatchtype = 'f'
			then '(' || string_agg(format('f.%I is not null', fa.attname), ' or ' order by k.i) || ')'
			else string_agg(format('f.%I is not null', fa.attname), ' and ' order by k.i) end) end
	from pg_depend d join pg_class t on t.oid = d.objid and t.relkind in ('r', 'p')
	join pg_constraint c on c.conrelid = t.oid and c.contype = 'f' and c.convalidated and c.conparentid = 0
	join pg_class r on r.oid = c.confrelid
	cross join lateral (select ` + periodSQL + ` as has) period
	cross join lateral unnest(c.conkey, c.confkey, c.conpfeqop) with ordinality k (fk, pk, op, i)
	join pg_attribute fa on fa.attrelid = t.oid and fa.attnum = k.fk
	join pg_attribute pa on pa.attrelid = r.oid and pa.attnum = k.pk
	join pg_operator o on o.oid = k.op join pg_namespace n on n.oid = o.oprnamespace
	where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1::regnamespace
	and d.classid = 'pg_class'::regclass and d.objsubid = 0
	and has_table_privilege(r.oid, 'select') and ` + enforcedSQL + `
	group by t.oid, t.relname, t.relkind, r.oid, r.relkind, c.oid, c.conname, c.confmatchtype, c.conkey, period.has
	order by t.relname, c.conname`

// checkRows returns an [UnsupportedError] if rows violate a constraint, because a restore, which
// checks the constraint, could not load them. With [DriftRecord] the violated constraints are
// recorded as differences.
func (r *backupRun) checkRows(ctx context.Context) error {
	path, err := r.s.cfg.Migrations.SearchPath(r.snap.header.Schema)
	if err != nil {
		return err
	}
	found, err := r.snap.orphans(ctx)
	if err != nil && isEvaluationError(err) { // for example, the columns have different collations
		r.s.cfg.Logger.WarnContext(ctx, "foreign keys not checked",
			slog.String("tenant", r.tenant.Slug), slog.Any("error", err))
		err = nil
	}
	if err != nil {
		return err
	}
	others, err := r.snap.violations(ctx, path, r.s.cfg.Logger)
	found = append(found, others...)
	switch {
	case err != nil || len(found) == 0:
		return err
	case r.drift != DriftRecord:
		return &UnsupportedError{r.snap.header.Schema, found}
	}
	for _, f := range found {
		r.snap.header.Differences = append(r.snap.header.Differences, f.Object+" "+f.Reason)
	}
	return nil
}

// orphans returns the foreign keys that rows of the snapshot violate.
func (snap *snapshot) orphans(ctx context.Context) (found []Unsupported, err error) {
	tx, err := snap.tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback(ctx)) }()
	schema, err := quoteOne(snap.header.Schema)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, orphansSQL, schema)
	if err != nil {
		return nil, err
	}
	var keys []Unsupported
	var parts []string
	var table, key, condition string
	_, err = pgx.ForEachRow(rows, []any{&table, &key, &condition}, func() error {
		parts = append(parts, fmt.Sprintf("select %d where %s", len(keys), condition))
		keys = append(keys, Unsupported{
			"foreign key " + key + " of table " + table, "is violated by rows that were written while it was not enforced",
		})
		return nil
	})
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	rows, err = tx.Query(ctx, strings.Join(parts, " union all "), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	violated, err := pgx.CollectRows(rows, pgx.RowTo[int])
	for _, i := range violated {
		found = append(found, keys[i])
	}
	return found, err
}
