package backup

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// partitionsSQL reads the partitions of the schema $1. plain is false for a partition that is
// itself partitioned by an expression, or with an operator class or a collation that is not its
// column's default.
const partitionsSQL = `select c.relname::text, p.relname::text, pg_get_expr(c.relpartbound, c.oid),
	coalesce(k.partstrat::text, ''),
	coalesce((select array_agg(a.attname::text order by n)
		from unnest(k.partattrs::int2[]) with ordinality as u (attnum, n)
		join pg_attribute a on a.attrelid = c.oid and a.attnum = u.attnum), '{}'),
	k.partrelid is null or k.partexprs is null and not exists (
		select from unnest(k.partattrs::int2[], k.partclass::oid[], k.partcollation::oid[]) as u (attnum, class, collation_)
		join pg_attribute a on a.attrelid = c.oid and a.attnum = u.attnum join pg_opclass o on o.oid = u.class
		where not o.opcdefault or u.collation_ <> a.attcollation)
	from pg_depend d join pg_class c on c.oid = d.objid
	join pg_inherits i on i.inhrelid = c.oid join pg_class p on p.oid = i.inhparent
	left join pg_partitioned_table k on k.partrelid = c.oid
	where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1
	and d.classid = 'pg_class'::regclass and d.objsubid = 0
	and c.relispartition and c.relkind in ('r', 'p') and p.relnamespace = c.relnamespace
	order by c.relname collate "C"`

// partition is a partition in the catalog.
type partition struct {
	archive.Partition
	bound  string // as printed by the server
	plain  bool
	parsed error
}

var strategyOf = map[string]archive.Strategy{
	"l": archive.StrategyList, "r": archive.StrategyRange, "h": archive.StrategyHash,
}

// readPartitions reads the partitions, each after its parent.
func (c *catalog) readPartitions(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, partitionsSQL, c.oid)
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p partition, err error) {
		var strategy string
		var columns []string
		err = row.Scan(&p.Name, &p.Parent, &p.bound, &strategy, &columns, &p.plain)
		if strategy != "" {
			p.Key = &archive.PartitionKey{Strategy: strategyOf[strategy], Columns: columns}
		}
		p.Bound, p.parsed = parseBound(p.bound)
		return p, err
	})
	if err != nil {
		return err
	}
	c.partitions = parentsFirst(all)
	return nil
}

func parentsFirst(all []partition) []partition {
	left := make(map[string]bool, len(all))
	for _, p := range all {
		left[p.Name] = true
	}
	ordered := make([]partition, 0, len(all))
	for len(ordered) < len(all) {
		n := len(ordered)
		for _, p := range all {
			if left[p.Name] && !left[p.Parent] {
				ordered = append(ordered, p)
			}
		}
		if n == len(ordered) { // never: the server has no cycles
			break
		}
		for _, p := range ordered[n:] {
			delete(left, p.Name)
		}
	}
	return ordered
}

// madeAtRunTime returns the partitions that the migrations do not create, or an [UnsupportedError]
// with those of them that a restore cannot create. If it is unknown what the migrations create, it
// returns all that a restore can create: the restore skips those that exist.
func (c *catalog) madeAtRunTime(want expected) (all []archive.Partition, err error) {
	made, skipped := want.reference.Tables(), make(map[string]bool)
	var found []Unsupported
	for _, p := range c.partitions {
		if slices.Contains(made, p.Name) {
			continue
		}
		reason := ""
		switch {
		case p.parsed != nil:
			reason = p.parsed.Error()
		case !p.plain:
			reason = "was created at run time and is itself partitioned by an expression, " +
				"or with an operator class or a collation that is not the default"
		}
		switch {
		case want.referenceErr != nil && (reason != "" || skipped[p.Parent]):
			skipped[p.Name] = true
		case reason != "":
			found = append(found, Unsupported{"partition " + p.Name, reason})
		default:
			all = append(all, p.Partition)
		}
	}
	if len(found) > 0 {
		return nil, &UnsupportedError{c.schema, found}
	}
	return all, nil
}

// exclude removes the named tables, their partitions and their sequences from the relations.
func (c *catalog) exclude(names []string) {
	out := make(map[string]bool)
	for _, r := range c.relations {
		if (r.kind == "r" || r.kind == "p" || r.kind == "f") && !r.partition && slices.Contains(names, r.name) {
			out[r.name] = true
			c.excluded = append(c.excluded, r.name)
		}
	}
	if len(out) == 0 {
		return
	}
	c.partitions = slices.DeleteFunc(c.partitions, func(p partition) bool {
		out[p.Name] = out[p.Name] || out[p.Parent]
		return out[p.Name]
	})
	c.relations = slices.DeleteFunc(c.relations, func(r relation) bool {
		return out[r.name] || r.kind == "S" && out[r.table]
	})
}

// makePartitions creates the partitions that were created at run time. It returns a [MismatchError]
// for those that cannot be created, or that differ from the archive.
func (l *loader) makePartitions(ctx context.Context, all []archive.Partition) error {
	if len(all) == 0 {
		return nil
	}
	there := make(map[string]bool)
	for _, p := range l.catalog.partitions {
		there[p.Name] = true
	}
	for _, p := range all {
		if there[p.Name] {
			continue // the current migrations create it
		}
		sql, err := partitionSQL(l.schema, p)
		if err == nil {
			err = l.execWithRetry(ctx, sql)
		}
		if err != nil && ctx.Err() == nil && isEvaluationError(err) {
			return &MismatchError{[]string{fmt.Sprintf("partition %q of %q cannot be created: %v", p.Name, p.Parent, err)}}
		}
		if err != nil {
			return fmt.Errorf("create partition %q: %w", p.Name, err)
		}
	}
	if err := l.transact(ctx, func(tx pgx.Tx) error { return l.catalog.readPartitions(ctx, tx) }); err != nil {
		return err
	}
	made := make(map[string]archive.Partition)
	for _, p := range l.catalog.partitions {
		made[p.Name] = p.Partition
	}
	var differences []string
	for _, p := range all {
		if m, ok := made[p.Name]; !ok || !reflect.DeepEqual(m, p) {
			differences = append(differences, fmt.Sprintf("partition %q of %q differs from the archive", p.Name, p.Parent))
		}
	}
	if len(differences) > 0 {
		return &MismatchError{differences}
	}
	return l.read(ctx)
}
