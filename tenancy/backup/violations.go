package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// valueSQL is the expression of the domain check c, in which value is the name of the value.
const valueSQL = `substr(pg_get_constraintdef(c.oid), 7)`

// rowRulesSQL creates, for each of the tables $1, aggregates that are true if a row violates what
// the server never checks again: not-null constraints, checks, checks of domains, generated columns
// and partition bounds. It omits checks that a restore accepts: those that are NOT VALID, those
// that vary, and those whose functions in the schema $2 it can replace. The text of an expression
// lacks the cast to the column's type. format_type returns bpchar for -1; for null it returns
// character, which has length 1.
//
// pg_get_partition_constraintdef locks the partitioned table. The query must not call it for tables
// of other schemas.
//
// must_work marks what a restore evaluates for each row after the other rows are loaded. The backup
// is refused if it fails. It is true for generated columns and for values of an array, composite or
// range type that contains a domain. Such a domain's valid checks cannot be dropped and validated
// again. A check that is NOT VALID can, but the cast evaluates it too, so columns with one are
// omitted. The expression of an index is evaluated for its errors alone.
const rowRulesSQL = `with recursive a as (
		select t.oid as rel, t.relname, a.* from pg_class t
			join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
		where t.oid = any($1::oid[]) and t.relkind = 'r'
	),
	typed (rel, relname, attname, typ, many) as (
		select a.rel, a.relname, a.attname, case when e.oid is null then t.oid else e.oid end, e.oid is not null
		from a join pg_type t on t.oid = a.atttypid left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
			and e.typtype = 'd'
		where a.attgenerated <> 'v'
		union all
		select d.rel, d.relname, d.attname, t.typbasetype, d.many
			from typed d join pg_type t on t.oid = d.typ and t.typtype = 'd'
	),
	pieces (rel, relname, attname, name, typ, is_whole, is_inside, is_deep) as (
		select a.rel, a.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid, true, false, false
			from a where a.attgenerated = ''
		union
		select p.rel, p.relname, p.attname, p.name, x.typ, false, p.is_inside or x.is_inside, p.is_deep or x.is_deep
		from pieces p join pg_type t on t.oid = p.typ cross join lateral (
			select t.typbasetype, false, false where t.typtype = 'd'
			union all select t.typelem, true, not p.is_whole where t.typcategory = 'A'
			union all select r.rngsubtype, true, true from pg_range r where r.rngtypid = t.oid
			union all select r.rngtypid, true, true from pg_range r where r.rngmultitypid = t.oid
			union all select c.atttypid, true, true from pg_attribute c
				where c.attrelid = t.typrelid and t.typrelid <> 0 and c.attnum > 0 and not c.attisdropped
		) x (typ, is_inside, is_deep)
	),
	base as (
		select d.rel, d.attname, format_type(t.oid, -1) as name
			from typed d join pg_type t on t.oid = d.typ and t.typtype <> 'd'
	)
	select rel::regclass::text, object, reason, violated, must_work, index_of::text from (
		select a.rel, format('column %s.%s', a.relname, a.attname) as object, 'has nulls, and is not null' as reason,
			format('bool_or(num_nulls(%I.%I) > 0)', a.relname, a.attname) as violated, false as must_work, '' as index_of
		from a where a.attnotnull and not exists (select from pg_constraint c where c.conrelid = a.rel and c.contype = 'n'
			and c.conkey = array[a.attnum] and not c.convalidated)
		union all
		select a.rel, format('column %s.%s', a.relname, a.attname),
			'has values that its expression does not generate any more',
			format('bool_or(%I.%I::text collate "C" is distinct from (%s)::%s::text collate "C")', a.relname, a.attname,
				pg_get_expr(g.adbin, g.adrelid),
				format_type(a.atttypid, a.atttypmod)), true, ''
		from a join pg_attrdef g on g.adrelid = a.rel and g.adnum = a.attnum where a.attgenerated = 's'
		union all
		select t.oid, format('partition %s', t.relname), 'has rows outside its bounds',
			format('bool_or(not (%s))', pg_get_partition_constraintdef(t.oid)), false, ''
		from pg_class t where case when t.oid = any($1::oid[]) and t.relkind = 'r'
			and t.relispartition then pg_get_partition_constraintdef(t.oid) is not null end
		union all
		select t.oid, format('check %s of table %s', c.conname, t.relname), 'is violated by rows',
			format('bool_or(not (%s))', pg_get_expr(c.conbin, c.conrelid)), false, ''
		from pg_class t join pg_constraint c on c.conrelid = t.oid and c.contype = 'c'
		where t.oid = any($1::oid[]) and t.relkind = 'r' and c.convalidated and ` + enforcedSQL + ` and not ` +
	acceptedSQL + `
		union all
		select d.rel, format('check %s of domain %s', c.conname, y.typname), format('is violated by rows of table %s',
			d.relname),
			case when d.many then format('bool_or(exists (select from unnest(%I.%I::%s[]) v(value) where not %s))', d.relname,
				d.attname, b.name, ` + valueSQL + `)
			else format('bool_or((select not %s from (select %I.%I::%s as value) v))', ` + valueSQL +
	`, d.relname, d.attname, b.name) end, false, ''
		from typed d join base b using (rel, attname) join pg_type y on y.oid = d.typ
		join pg_constraint c on c.contypid = d.typ and c.conrelid = 0 and c.contype = 'c' and c.convalidated
		where not ` + acceptedSQL + `
		union all
		select d.rel, format('domain %s', y.typname), format('is not null, and table %s has nulls of it', d.relname),
			case when d.many then format('bool_or(exists (select from unnest(%I.%I::%s[]) v(value) where num_nulls(value) > 0))',
				d.relname, d.attname, b.name)
			else format('bool_or(num_nulls(%I.%I) > 0)', d.relname, d.attname) end, false, ''
		from typed d join base b using (rel, attname) join pg_type y on y.oid = d.typ and y.typnotnull and y.typtype = 'd'
		union all
		select distinct p.rel, format('column %s.%s', p.relname, p.attname), 'has values that a domain refuses',
			format('bool_or(num_nulls(%I.%I::text::%s) < 0)', p.relname, p.attname, p.name), true, ''
		from pieces p join pg_type y on y.oid = p.typ and y.typtype = 'd'
		where exists (select from pieces o where o.typ = p.typ and o.is_inside) and (p.is_deep and y.typnotnull
			or exists (select from pg_constraint c where c.contypid = y.oid and c.contype = 'c' and c.convalidated
				and (p.is_deep or ` + acceptedSQL + `)))
		and not exists (select from pieces o join pg_constraint c on c.contypid = o.typ and c.contype = 'c'
			and not c.convalidated
			where o.rel = p.rel and o.attname = p.attname)
		union all
		select t.oid, format('index %s of table %s', x.relname, t.relname), 'has an expression that fails',
			format('bool_or(num_nulls(%s) < 0%s)', coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'),
				(select format(' or case when %s then num_nulls(%s) < 0 end', coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'),
					string_agg(pg_get_indexdef(i.indexrelid, n, false), ', ' order by n))
				from generate_series(1, i.indnkeyatts) n where i.indkey[n - 1] = 0 having count(*) > 0)), false, o.relname
		from pg_class t join pg_class o on o.oid = coalesce(pg_partition_root(t.oid), t.oid)
			join pg_index i on i.indrelid = t.oid and i.indislive join pg_class x on x.oid = i.indexrelid
		where t.oid = any($1::oid[]) and t.relkind = 'r' and ` + indexCallsSQL + `
	) rules order by rel, object, reason`

// indexCallsSQL is a condition on the index x: its expressions call a function that is neither
// built in nor part of an extension. Such a function may read other rows.
const indexCallsSQL = `exists (select from pg_depend d
	left join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
	join pg_proc f on f.oid = case when d.refclassid = 'pg_proc'::regclass then d.refobjid else o.oprcode::oid end
	where d.classid = 'pg_class'::regclass and d.objid = x.oid and f.pronamespace <> 'pg_catalog'::regnamespace
	and not exists (select from pg_depend e where e.classid = 'pg_proc'::regclass and e.objid = f.oid
		and e.deptype = 'e'))`

// acceptedSQL is a condition on the constraint c: a restore accepts rows that violate it, see
// loader.dropChecks.
const acceptedSQL = `(` + variesSQL + ` or ` + callsSQL + ` and not exists (select from ` + functionsSQL + `
	where f.pronamespace not in ('pg_catalog'::regnamespace, $2::regnamespace)
	and not exists (select from pg_depend e where e.classid = 'pg_proc'::regclass and e.objid = f.oid
		and e.deptype = 'e')))`

// setRulesSQL creates, for each unique index and exclusion constraint of the tables $1, a condition
// that rows violate it. It also reads whether the condition must be evaluated without indexes,
// because a corrupt index may lack rows. Equality of the default operator class is that of GROUP
// BY. Ranges are compared with the previous one, other values with all others. OFFSET 0 keeps
// PostgreSQL 18 from removing a self-join, which it does because it trusts the unique index.
const setRulesSQL = `with i as (
		select t.oid as rel, t.relname, t.relkind, c.conname, c.conexclop, x.relname as index, i.indnullsnotdistinct
			and not i.indisexclusion as nulls,
			coalesce(' and (' || pg_get_expr(i.indpred, i.indrelid) || ')', '') as predicate,
			array_agg(k.key order by k.n) as keys, array_agg(o.oprname order by k.n) as operators,
			bool_and(k.opcdefault) as plain, array_agg(format('a.k%s operator(%I.%s) b.k%1$s', k.n, n.nspname,
				o.oprname) order by k.n) as meets,
			array_agg(coalesce(r.rngtypid, 0) <> 0 and o.oprname = '&&' order by k.n) as ranges
		from pg_class t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid
			join pg_am m on m.oid = x.relam
		left join pg_constraint c on c.conindid = x.oid and c.conrelid = t.oid and c.contype in ('p', 'u', 'x')
		cross join lateral (
			select n, format('(%s)', pg_get_indexdef(i.indexrelid, n, false)) || case when co.oid is null
				then '' else format(' collate %I.%I', ns.nspname, co.collname) end as key,
				p.opcdefault, coalesce(c.conexclop[n], (select amopopr from pg_amop where amopfamily = p.opcfamily
					and amoplefttype = p.opcintype and amoprighttype = p.opcintype and amopstrategy = 3
						and amoppurpose = 's')) as op, a.atttypid
			from generate_series(1, i.indnkeyatts) n join pg_opclass p on p.oid = i.indclass[n - 1]
			join pg_attribute a on a.attrelid = x.oid and a.attnum = n
			left join pg_collation co on co.oid = i.indcollation[n - 1] left join pg_namespace ns on ns.oid = co.collnamespace
		) k
		left join pg_range r on r.rngtypid = k.atttypid
		join pg_operator o on o.oid = k.op join pg_namespace n on n.oid = o.oprnamespace
		where t.oid = any($1::oid[]) and (i.indisunique and m.amname = 'btree' or i.indisexclusion) and i.indislive
		and not exists (select from pg_inherits h where h.inhrelid = x.oid)
		group by t.oid, t.relname, t.relkind, c.conname, c.conexclop, x.oid, x.relname, i.indexrelid,
			i.indnullsnotdistinct, i.indisexclusion, i.indpred, i.indrelid
	),
	parts as (
		select i.*, case when relkind = 'p' then '' else 'only ' end || rel::regclass as source,
			case when nulls then 'true' else format('num_nulls(%s) = 0', array_to_string(keys,
				', ')) end || predicate as condition,
			(select string_agg(format('%s as k%s', k, n), ', ') from unnest(keys) with ordinality u (k, n)) as list,
			(select string_agg(k, ', ') from unnest(keys, ranges) u (k, is_range) where not is_range) as equal_keys,
			(select string_agg(k, ', ') from unnest(keys, ranges) u (k, is_range) where is_range) as range_key,
			(select count(*) filter (where is_range) = 1 and bool_and(is_range or o = '=')
				from unnest(ranges, operators) u (is_range, o)) as is_sorted
		from i
	)
	select case when conexclop is null then 'unique index ' || index
		else 'constraint ' || conname end || ' of table ' || relname,
		conexclop is null or is_sorted,
		case when conexclop is null and plain then
			format('exists (select from (select from %s t where %s group by %s having count(*) > 1) x)', source, condition,
				array_to_string(keys, ', '))
		when conexclop is not null and is_sorted then
			format('exists (select from (select %1$s as r, lag(%1$s) over (%2$s order by %1$s) as p
				from %3$s t where %4$s and not isempty(%1$s)) x where p && r)',
				range_key, 'partition by ' || equal_keys, source, condition)
		else
			format('exists (select from (select tableoid as o, ctid as i, %1$s from %2$s t where %3$s offset 0) a
				join (select tableoid as o, ctid as i, %1$s from %2$s t where %3$s) b
				on %4$s where (a.o, a.i) <> (b.o, b.i))', list, source, condition, array_to_string(meets, ' and '))
		end
	from parts order by 1`

// withoutIndexes disables index scans, because a corrupt index may lack rows.
const withoutIndexes = `set local enable_indexscan = off; set local enable_indexonlyscan = off;
	set local enable_bitmapscan = off; `

// rule is a condition that rows of the snapshot violate.
type rule struct {
	from      string // the table of a condition on single rows; empty for a condition on all rows
	unindexed bool   // whether it is evaluated without indexes, because a corrupt index may lack rows
	violated  string // SQL of a boolean
	mustWork  bool   // whether an evaluation that fails counts as a violation
	indexOf   string // of an index: the table, or its topmost partitioned table
	Unsupported
}

// readRules reads the conditions that rows must not violate for a restore to load them.
func (snap *snapshot) readRules(ctx context.Context, tx pgx.Tx) ([]rule, error) {
	var oids []uint32
	for _, r := range snap.catalog.relations {
		if (r.kind == "r" || r.kind == "p") && r.name != snap.catalog.versions {
			oids = append(oids, r.oid)
		}
	}
	schema, err := quoteOne(snap.header.Schema)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, rowRulesSQL, oids, schema)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (rule, error) {
		r := rule{unindexed: true}
		err := row.Scan(&r.from, &r.Object, &r.Reason, &r.violated, &r.mustWork, &r.indexOf)
		return r, err
	})
	if err != nil {
		return nil, err
	}
	if rows, err = tx.Query(ctx, setRulesSQL, oids); err != nil {
		return nil, err
	}
	sets, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (rule, error) {
		r := rule{Unsupported: Unsupported{Reason: "is violated by rows"}}
		err := row.Scan(&r.Object, &r.unindexed, &r.violated)
		return r, err
	})
	return append(all, sets...), err
}

// violations returns constraints that rows of the snapshot violate although the server considers
// them valid. Possible causes are rows that were written while the constraint was disabled, a
// corrupt index, and a function whose result has changed. path is the tenant's search path. Rules
// that cannot be evaluated are logged.
func (snap *snapshot) violations(
	ctx context.Context, path string, logger *slog.Logger,
) (found []Unsupported, err error) {
	rules, err := snap.readRules(ctx, snap.tx)
	if err != nil {
		return nil, fmt.Errorf("read constraints: %w", err)
	}
	for len(rules) > 0 {
		n := 1
		for n < len(rules) && rules[0].from != "" && rules[n].from == rules[0].from {
			n++
		}
		violated, err := snap.evaluate(ctx, path, rules[:n], logger)
		if err != nil {
			return nil, err
		}
		found, rules = append(found, violated...), rules[n:]
	}
	return found, nil
}

// evaluate checks the rules of one table in one statement. If that fails, it checks them one by
// one.
func (snap *snapshot) evaluate(
	ctx context.Context, path string, rules []rule, logger *slog.Logger,
) (found []Unsupported, err error) {
	violated, err := snap.ask(ctx, path, rules)
	switch {
	case err == nil:
		for i, is := range violated {
			if is != nil && *is {
				found = append(found, rules[i].Unsupported)
			}
		}
		return found, nil
	case ctx.Err() != nil || !isEvaluationError(err) && !isTempFileLimit(err):
		return nil, fmt.Errorf("check rows: %s: %w", rules[0].Object, err)
	case len(rules) == 1 && (rules[0].mustWork && !isTempFileLimit(err) || isNoData(err)):
		return []Unsupported{{rules[0].Object, fmt.Sprintf("%s: %v", rules[0].Reason, err)}}, nil
	case len(rules) == 1: // for instance, a function reads a table that was dropped
		logger.WarnContext(ctx, "rows not checked", slog.String("schema", snap.header.Schema),
			slog.String("object", rules[0].Object), slog.Any("error", err))
		return nil, nil
	}
	for i := range rules {
		one, err := snap.evaluate(ctx, path, rules[i:i+1], logger)
		if err != nil {
			return nil, err
		}
		found = append(found, one...)
	}
	return found, nil
}

// isNoData reports whether a function did not find a row that it needs. It will not find it during
// a restore either.
func isNoData(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "P0002"
}

// isTempFileLimit reports whether sorting a table exceeded the server's temp_file_limit, which some
// managed services set. Such a table can still be backed up.
func isTempFileLimit(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "53400"
}

// ask evaluates the conditions of rules of one table.
func (snap *snapshot) ask(ctx context.Context, path string, rules []rule) (violated []*bool, err error) {
	tx, err := snap.tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback(ctx) //nolint:errcheck // reverts the settings; a failure shows in the next statement
	settings := "set local search_path = " + path
	if rules[0].unindexed {
		settings = withoutIndexes + settings
	}
	if _, err := tx.Exec(ctx, settings, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, err
	}
	conditions := make([]string, len(rules))
	for i, r := range rules {
		conditions[i] = r.violated
	}
	sql := "select array[" + strings.Join(conditions, ", ") + "]"
	if rules[0].from != "" {
		sql += " from only " + rules[0].from // without an alias, because a check of whole rows uses the table's name
	}
	err = tx.QueryRow(ctx, sql, pgx.QueryExecModeExec).Scan(&violated)
	return violated, err
}
