package tenancytest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// table is a table that a tenant may write.
type table struct {
	name      string
	columns   string   // that can be inserted, quoted, with commas
	refersTo  []string // other tables of the schema
	seeded    bool     // migrations or seed have put rows into it
	inherited bool     // other tables inherit from it, so that ONLY means its own rows
}

func (t table) only() string {
	if t.inherited {
		return "only "
	}
	return ""
}

// readTables reads the tables of a schema, referenced tables first. It omits tables that the tenant
// cannot write, such as the version table, because tests do not change them.
func readTables(ctx context.Context, db tenancy.Querier, schema string) ([]table, error) {
	rows, err := db.Query(ctx, `select c.relname,
			(select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
				where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''),
			array(select f.relname::text from pg_constraint k join pg_class f on f.oid = k.confrelid
				where k.conrelid = c.oid and k.contype = 'f' and f.oid <> c.oid and f.relnamespace = c.relnamespace),
			c.relkind = 'r' and exists (select from pg_inherits i where i.inhparent = c.oid)
		from pg_depend d join pg_class c on c.oid = d.objid
		where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_namespace'::regclass
			and d.refobjid = (select oid from pg_namespace where nspname = $1)
			and c.relkind in ('r', 'p') and not c.relispartition
			and exists (select from aclexplode(c.relacl) g where g.privilege_type = 'INSERT' and g.grantee <> c.relowner)
		order by c.relname`, schema)
	if err != nil {
		return nil, fmt.Errorf("tables of schema %q: %w", schema, err)
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t table, err error) {
		var columns *string
		err = row.Scan(&t.name, &columns, &t.refersTo, &t.inherited)
		if columns != nil {
			t.columns = *columns
		}
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("tables of schema %q: %w", schema, err)
	}
	seeded, err := filled(ctx, db, schema, tables)
	if err != nil {
		return nil, err
	}
	for i := range tables {
		tables[i].seeded = seeded[i]
	}
	return inOrder(tables), nil
}

// filled reports for each table whether it has rows.
func filled(ctx context.Context, db tenancy.Querier, schema string, tables []table) (has []bool, err error) {
	if len(tables) == 0 {
		return nil, nil
	}
	exists := make([]string, len(tables))
	for i, t := range tables {
		exists[i] = "exists (select from " + t.only() + pgx.Identifier{schema, t.name}.Sanitize() + ")"
	}
	// one query per schema is not worth preparing
	rows, err := db.Query(ctx, "select array["+strings.Join(exists, ", ")+"]", pgx.QueryExecModeExec)
	if err == nil {
		has, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]bool])
	}
	if err != nil {
		return nil, fmt.Errorf("rows of schema %q: %w", schema, err)
	}
	return has, nil
}

// dirtyTables returns the tables to empty: those with rows, and those that reference them.
func dirtyTables(ctx context.Context, db tenancy.Querier, schema string, tables []table) ([]table, error) {
	has, err := filled(ctx, db, schema, tables)
	if err != nil {
		return nil, err
	}
	dirty := make(map[string]bool)
	for i, t := range tables {
		dirty[t.name] = has[i] || t.seeded
	}
	for grown := true; grown; { // tables may reference each other in a cycle
		grown = false
		for _, t := range tables {
			if !dirty[t.name] && slices.ContainsFunc(t.refersTo, func(name string) bool { return dirty[name] }) {
				dirty[t.name], grown = true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(tables), func(t table) bool { return !dirty[t.name] }), nil
}

// inOrder sorts tables so that each follows those that it references. Tables in a reference cycle
// come last.
func inOrder(tables []table) []table {
	placed := make(map[string]bool, len(tables))
	var sorted []table
	for rest := tables; len(rest) > 0; {
		var later []table
		for _, t := range rest {
			waits := slices.ContainsFunc(t.refersTo, func(name string) bool {
				return !placed[name] && slices.ContainsFunc(rest, func(other table) bool { return other.name == name })
			})
			if waits {
				later = append(later, t)
				continue
			}
			placed[t.name] = true
			sorted = append(sorted, t)
		}
		if len(later) == len(rest) {
			return append(sorted, later...)
		}
		rest = later
	}
	return sorted
}
