package backup

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// calledByTablesSQL reads which functions the server calls for each row that is loaded into a table
// of the schema $1. They are those of its indexes, exclusion constraints, generated columns,
// partition keys and checks, and of domains inside its types. It omits built-in functions and those
// of extensions. Functions of a partition count for the topmost partitioned table.
const calledByTablesSQL = `with recursive tables (root, oid) as (
		select c.oid, c.oid from pg_depend d join pg_class c on c.oid = d.objid and c.relkind in ('r', 'p')
			and not c.relispartition
			where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1 and d.classid = 'pg_class'::regclass
				and d.objsubid = 0
		union all select t.root, i.inhrelid from tables t join pg_class p on p.oid = t.oid and p.relkind = 'p'
			join pg_inherits i on i.inhparent = t.oid
	),
	reached (root, class, oid) as (
		select t.root, x.class, x.oid from tables t cross join lateral (
			select 'pg_class'::regclass::oid, i.indexrelid from pg_index i where i.indrelid = t.oid
			union all select 'pg_attrdef'::regclass, g.oid
				from pg_attribute a join pg_attrdef g on g.adrelid = a.attrelid and g.adnum = a.attnum
				where a.attrelid = t.oid and a.attgenerated <> ''
			union all select 'pg_constraint'::regclass, c.oid
				from pg_constraint c where c.conrelid = t.oid and c.contype in ('c', 'x')
			union all select d.refclassid, d.refobjid from pg_attribute a join pg_depend d on d.classid = 'pg_class'::regclass
				and d.objid = a.attrelid and d.objsubid = a.attnum
					and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass)
				where a.attrelid = t.oid and a.attgenerated <> ''
			union all select d.refclassid, d.refobjid from pg_depend d
				where d.classid = 'pg_class'::regclass and d.objid = t.oid and d.objsubid = 0
				and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass)
			union all select 'pg_type'::regclass, a.atttypid
				from pg_attribute a where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
		) x (class, oid)
		union
		select r.root, x.class, x.oid from reached r cross join lateral (
			select d.refclassid, d.refobjid from pg_depend d
				where d.classid = r.class and d.objid = r.oid and r.class <> 'pg_proc'::regclass
				and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass, 'pg_type'::regclass)
			union all select 'pg_constraint'::regclass, c.oid
				from pg_constraint c where r.class = 'pg_type'::regclass and c.contypid = r.oid
			union all select 'pg_type'::regclass, a.atttypid
				from pg_type t join pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
				where r.class = 'pg_type'::regclass and t.oid = r.oid and t.typrelid <> 0
			union all select 'pg_proc'::regclass, p.amproc from pg_opclass o join pg_amproc p on p.amprocfamily = o.opcfamily
				where r.class = 'pg_opclass'::regclass and o.oid = r.oid
		) x (class, oid)
	)
	select distinct t.relname::text, f.oid from reached r join pg_class t on t.oid = r.root
		join pg_proc f on r.class = 'pg_proc'::regclass and f.oid = r.oid
	where f.pronamespace <> 'pg_catalog'::regnamespace
	and not exists (select from pg_depend e where e.classid = 'pg_proc'::regclass and e.objid = f.oid and e.deptype = 'e')
	order by 1, 2`

// bodiesSQL reads the bodies of the functions and views in the schema $1, and of functions in the
// schemas of the functions $2.
const bodiesSQL = `with schemas (oid) as (select $1::oid
	union select f.pronamespace from pg_proc f where f.oid = any($2::oid[]))
	select p.oid, p.proname::text, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) from schemas n
		join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.classid = 'pg_proc'::regclass
		join pg_proc p on p.oid = d.objid
	union all select c.oid, c.relname::text, pg_get_viewdef(c.oid)
		from pg_depend d join pg_class c on c.oid = d.objid and c.relkind in ('v', 'm')
		where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1 and d.classid = 'pg_class'::regclass`

// identifiers matches the words in a body that may be names.
var identifiers = regexp.MustCompile(`"(?:[^"]|"")+"|[\pL_][\pL\pN_$]*`)

// body is the body of a function or view.
type body struct {
	oid   uint32
	name  string
	words []string // words that may be names
}

// wordsIn returns the words in a text that may be names.
func wordsIn(text string) (words []string) {
	for _, word := range identifiers.FindAllString(text, -1) {
		if quoted, ok := strings.CutPrefix(word, `"`); ok {
			words = append(words, strings.ReplaceAll(strings.TrimSuffix(quoted, `"`), `""`, `"`))
		} else {
			words = append(words, word, strings.ToLower(word)) // the server may not fold letters that are not ASCII
		}
	}
	return words
}

// sortTables orders tables after those that their indexes, generated columns and checks read
// through functions, because a restore loads them in this order. If the rows that it reads are
// missing, an index expression may fail or return equal keys.
//
// No catalog records what a function reads, so the words in its body are used. Names that a
// function composes at run time are not found, and if tables read each other, one of them is first.
// A table with an index whose expression fails today stays in its place: it may fail because of the
// rows that it reads.
func (s *Service) sortTables(ctx context.Context, snap *snapshot) error {
	reads, err := snap.readsOfTables(ctx)
	if err != nil {
		return fmt.Errorf("read functions of tables: %w", err)
	}
	if len(reads) == 0 {
		return nil
	}
	path, err := s.cfg.Migrations.SearchPath(snap.header.Schema)
	if err == nil {
		err = snap.keepFailing(ctx, path, reads)
	}
	snap.header.Tables = inOrderOf(snap.header.Tables, reads)
	return err
}

// inOrderOf returns the tables with each after those that it reads.
func inOrderOf(tables []archive.Table, reads map[string][]string) (sorted []archive.Table) {
	byName := make(map[string]archive.Table)
	for _, t := range tables {
		byName[t.Name] = t
	}
	seen := make(map[string]bool)
	var visit func(t archive.Table)
	visit = func(t archive.Table) {
		if seen[t.Name] {
			return
		}
		seen[t.Name] = true
		for _, name := range reads[t.Name] {
			visit(byName[name])
		}
		sorted = append(sorted, t)
	}
	for _, t := range tables {
		visit(t)
	}
	return sorted
}

// readsOfTables returns, by table, which other tables of the header it reads.
func (snap *snapshot) readsOfTables(ctx context.Context) (map[string][]string, error) {
	tx, err := snap.tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, planSQL, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, err
	}
	called, err := snap.catalog.calledByTables(ctx, tx)
	if err != nil {
		return nil, err
	}
	reads := make(map[string][]string)
	if len(called) > 0 {
		bodies, err := snap.catalog.bodies(ctx, tx, called)
		if err != nil {
			return nil, err
		}
		for table, functions := range called {
			words := wordsOf(functions, bodies)
			for _, u := range snap.header.Tables {
				if u.Name != table && words[u.Name] {
					reads[table] = append(reads[table], u.Name)
				}
			}
		}
	}
	return reads, tx.Rollback(ctx)
}

// keepFailing removes tables from reads that have an index whose expression fails.
func (snap *snapshot) keepFailing(ctx context.Context, path string, reads map[string][]string) error {
	tx, err := snap.tx.Begin(ctx)
	if err != nil {
		return err
	}
	rules, err := snap.readRules(ctx, tx)
	if err := cmp.Or(err, tx.Rollback(ctx)); err != nil {
		return fmt.Errorf("read indexes: %w", err)
	}
	for i, r := range rules {
		if len(reads[r.indexOf]) == 0 {
			continue
		}
		_, err := snap.ask(ctx, path, rules[i:i+1])
		if err != nil && (ctx.Err() != nil || !isEvaluationError(err)) {
			return fmt.Errorf("%s: %w", r.Object, err)
		}
		if err != nil {
			delete(reads, r.indexOf)
		}
	}
	return nil
}

// calledByTables returns the functions by table.
func (c *catalog) calledByTables(ctx context.Context, tx pgx.Tx) (map[string][]uint32, error) {
	rows, err := tx.Query(ctx, calledByTablesSQL, c.oid)
	if err != nil {
		return nil, err
	}
	called := make(map[string][]uint32)
	var table string
	var function uint32
	_, err = pgx.ForEachRow(rows, []any{&table, &function}, func() error {
		called[table] = append(called[table], function)
		return nil
	})
	return called, err
}

func (c *catalog) bodies(ctx context.Context, tx pgx.Tx, called map[string][]uint32) ([]body, error) {
	var functions []uint32
	for _, oids := range called {
		functions = append(functions, oids...)
	}
	rows, err := tx.Query(ctx, bodiesSQL, c.oid, functions)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (b body, err error) {
		var text string
		err = row.Scan(&b.oid, &b.name, &text)
		b.words = wordsIn(text)
		return b, err
	})
}

// wordsOf returns the names in the bodies of functions, and in the bodies of the functions and
// views that those name.
func wordsOf(functions []uint32, bodies []body) map[string]bool {
	byName, byOID := make(map[string][]body), make(map[uint32]body)
	for _, b := range bodies {
		byName[b.name], byOID[b.oid] = append(byName[b.name], b), b
	}
	words := make(map[string]bool)
	var visit func(b body)
	visit = func(b body) {
		for _, name := range b.words {
			if words[name] {
				continue
			}
			words[name] = true
			for _, nested := range byName[name] {
				visit(nested)
			}
		}
	}
	for _, oid := range functions {
		visit(byOID[oid])
	}
	return words
}
