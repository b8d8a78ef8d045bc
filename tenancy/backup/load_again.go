package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// familySQL reads the tables with rows of their own among the table $2 of the schema $1 and those that inherit from it, with the columns
// that are not generated, and whether a rule would act on rows that are inserted.
const familySQL = `with recursive family (oid) as (
		select c.oid from pg_class c where c.relnamespace = $1 and c.relname = $2
		union select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
	)
	select c.relname::text,
		array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
			order by a.attnum),
		exists (select from pg_rewrite r where r.ev_class = c.oid)
	from family f join pg_class c on c.oid = f.oid where c.relkind = 'r' order by c.oid`

// heap is a table with rows of its own.
type heap struct {
	name    string
	columns []string
	ruled   bool
}

// errRuled is why rows are not inserted again.
var errRuled = errors.New("a rule would act on the rows")

// insertAgain has a constraint look at rows as they come in, in their order, and not when all are there: so it let them in once, where
// it counts the rows of its own table, for instance. All is as it was after an error.
func (l *loader) insertAgain(ctx context.Context, c check) error {
	drop, err := l.alter(c, "drop constraint ", "")
	if err != nil {
		return err
	}
	add, err := l.alter(c, "add constraint ", " "+c.definition)
	if err != nil {
		return err
	}
	return l.transact(ctx, func(tx pgx.Tx) error {
		heaps, err := l.family(ctx, tx, c.table)
		if err != nil {
			return err
		}
		before, after := []string{"set local search_path = " + l.path}, []string(nil)
		for _, h := range heaps {
			move, err := l.move(h)
			if err != nil {
				return err
			}
			before, after = append(before, move.out...), append(after, move.back...)
		}
		_, err = tx.Exec(ctx, strings.Join(append(append(before, drop, add), after...), "; "), pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

func (l *loader) family(ctx context.Context, tx pgx.Tx, table string) ([]heap, error) {
	rows, err := tx.Query(ctx, familySQL, l.catalog.oid, table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (h heap, err error) {
		err = row.Scan(&h.name, &h.columns, &h.ruled)
		if err == nil && h.ruled {
			err = fmt.Errorf("table %q: %w", h.name, errRuled)
		}
		return h, err
	})
}

// moves are SQL that empties a table into a copy, and fills it from that.
type moves struct{ out, back []string }

func (l *loader) move(h heap) (m moves, err error) {
	table, err := l.name(h.name)
	if err != nil {
		return m, err
	}
	aside, err := l.name("rows_" + strings.ToLower(rand.Text()))
	if err != nil {
		return m, err
	}
	columns := make([]string, len(h.columns))
	for i, name := range h.columns {
		if columns[i], err = quoteOne(name); err != nil {
			return m, err
		}
	}
	list := strings.Join(columns, ", ")
	m.out = []string{"create table " + aside + " as select " + list + " from only " + table, "truncate only " + table}
	m.back = []string{
		"insert into " + table + " (" + list + ") overriding system value select " + list + " from " + aside, "drop table " + aside,
	}
	return m, nil
}
