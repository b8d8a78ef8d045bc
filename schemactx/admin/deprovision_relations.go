package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// relation is a table, a view or a sequence.
type relation struct {
	oid  uint32
	kind string // as in DROP: "materialized view"
	name string // quoted and schema-qualified
	lock bool   // LOCK TABLE works on this kind of relation, and the owner may run it
}

// dropRelations drops the relations of the schema in batches. A relation on which others depend
// comes after them. Otherwise CASCADE would drop many more relations than the batch has, for
// example with the parent of partitions or with a table that all others reference.
func (d *deprovision) dropRelations(ctx context.Context, schema uint32) error {
	var oids []uint32
	err := d.opts.lockWait().run(ctx, d.owner, func(tx pgx.Tx) (err error) {
		oids, err = relationsOf(ctx, tx, schema)
		return err
	})
	if err != nil {
		return err
	}
	before := d.report.Relations
	for batch := range slices.Chunk(oids, cmp.Or(d.opts.BatchSize, defaultBatchSize)) {
		if err = d.dropBatch(ctx, schema, batch); err != nil {
			break
		}
	}
	if n := d.report.Relations - before; n > 0 {
		d.report.Actions = append(d.report.Actions, Action{What: fmt.Sprintf("drop %d tables, views and sequences", n)})
	}
	return err
}

// dropBatch drops the relations of a batch that still exist. It locks the tables before it looks
// for dependents, so that no session can add one in between. It does not lock views, because LOCK
// TABLE on a view also locks the tables under it.
func (d *deprovision) dropBatch(ctx context.Context, schema uint32, oids []uint32) error {
	dropped := 0
	err := d.opts.lockWait().run(ctx, d.owner, func(tx pgx.Tx) error {
		relations, err := d.namesOf(ctx, tx, schema, oids)
		if err != nil {
			return err
		}
		dropped = len(relations)
		if dropped == 0 {
			return nil
		}
		if lock := lockStatement(relations, "access exclusive"); lock != "" {
			if err := execAll(ctx, tx, lock); err != nil {
				return err
			}
		}
		if err := expectNoDependents(ctx, tx, d.schema, schema, relations); err != nil {
			return err
		}
		return execAll(ctx, tx, dropStatements(relations)...)
	})
	if err == nil {
		d.report.Relations += dropped
	}
	return err
}

// relationsOf returns the relations of a schema, ordered by the number of relations that depend on
// them, fewest first. It finds them through pg_depend, because no index of pg_class begins with the
// schema. It leaves out a sequence that belongs to a column and a relation that belongs to an
// extension: they are dropped with their owner.
func relationsOf(ctx context.Context, tx pgx.Tx, schema uint32) ([]uint32, error) {
	rows, err := tx.Query(ctx, `select c.oid
		from pg_depend d join pg_class c on c.oid = d.objid
		where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1::oid and d.classid = 'pg_class'::regclass
			and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
			and not exists (select from pg_depend p where p.classid = d.classid and p.objid = c.oid and p.objsubid = 0
				and (p.deptype = 'e' or relkind = 'S' and p.deptype in ('a', 'i')))
		order by (select count(*) from pg_inherits where inhparent = c.oid)
			+ (select count(distinct o.objid) from pg_depend o where o.refclassid = d.classid and o.refobjid = c.oid
				and o.deptype = 'n' and o.classid in ('pg_constraint'::regclass, 'pg_rewrite'::regclass)),
			c.oid`, schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uint32])
}

// namesOf returns the relations that still exist, views first.
func (d *deprovision) namesOf(ctx context.Context, tx pgx.Tx, schema uint32, oids []uint32) ([]relation, error) {
	rows, err := tx.Query(ctx, `select oid, relname::text,
			case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' when 'S'
				then 'sequence' else 'table' end,
			relkind in ('r', 'p') and has_table_privilege(oid, 'update, delete, truncate')
		from pg_class where oid = any($1::oid[]) and relnamespace = $2::oid
		order by relkind not in ('v', 'm'), oid`, oids, schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r relation, err error) {
		if err = row.Scan(&r.oid, &r.name, &r.kind, &r.lock); err == nil {
			r.name, err = schemactx.QuoteName(d.schema, r.name)
		}
		return r, err
	})
}

// lockStatement returns the LOCK TABLE statement for the tables among the relations, or "" if there
// are none. It uses ONLY because partitions are relations of their own.
func lockStatement(relations []relation, mode string) string {
	var names []string
	for _, r := range relations {
		if r.lock {
			names = append(names, "only "+r.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "lock table " + strings.Join(names, ", ") + " in " + mode + " mode"
}

// dropStatements returns one DROP statement for each kind of relation. IF EXISTS is needed because
// CASCADE of one statement may drop a relation of the next.
func dropStatements(relations []relation) []string {
	var kinds []string
	names := make(map[string][]string)
	for _, r := range relations {
		if names[r.kind] == nil {
			kinds = append(kinds, r.kind)
		}
		names[r.kind] = append(names[r.kind], r.name)
	}
	statements := make([]string, len(kinds))
	for i, kind := range kinds {
		statements[i] = "drop " + kind + " if exists " + strings.Join(names[kind], ", ") + " cascade"
	}
	return statements
}
