package erp

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// record is a row of a table.
type record interface {
	id() int64
	Version() Version
}

// table is what stores have in common: the statements on one noun, each limited to what the viewer may see.
type table[T record] struct {
	db      Querier
	noun    noun
	columns string // of T, in its order; see [statement.named]
}

// get returns the row of an id.
func (t table[T]) get(ctx context.Context, id int64) (T, error) {
	s, err := reading(ctx, t.noun)
	if err != nil {
		return *new(T), t.failed("get", err)
	}
	s.add("select "+s.named(t.columns)+" from "+t.noun.table+" where "+t.noun.table+".id = ?", id)
	s.visible()
	return t.one(ctx, "get", s)
}

// list returns the rows of a page that all conditions hold for, by id, and the After of the next page, or 0 when there
// is none.
func (t table[T]) list(ctx context.Context, page Page, where conditions) (rows []T, next int64, err error) {
	if err := page.validate(); err != nil {
		return nil, 0, err
	}
	s, err := reading(ctx, t.noun)
	if err != nil {
		return nil, 0, t.failed("list", err)
	}
	s.add("select "+s.named(t.columns)+" from "+t.noun.table+" where "+t.noun.table+".id > ?", page.After)
	for _, c := range where {
		if c.impossible() {
			s.add(" and false")
			continue
		}
		s.add(" and "+s.named(c.sql), c.value)
	}
	s.visible()
	s.add(" order by "+t.noun.table+".id limit ?", page.limit()+1) // one more than asked for tells whether there is a next page
	if rows, err = t.query(ctx, s); err == nil && len(rows) == 0 {
		err = t.stillCurrent(ctx, s.viewer)
	}
	if err != nil {
		return nil, 0, t.failed("list", err)
	}
	if limit := page.limit(); len(rows) > limit {
		rows = rows[:limit]
		next = rows[limit-1].id()
	}
	return rows, next, nil
}

// changed runs a statement that changes the row of an id if it has a version, and returns the row.
func (t table[T]) changed(ctx context.Context, operation string, id int64, s *statement) (T, error) {
	row, err := t.one(ctx, operation, s)
	if !errors.Is(err, ErrNotFound) {
		return row, err
	}
	if _, err := t.get(ctx, id); err != nil { // for good
		return *new(T), t.failed(operation, err)
	}
	return *new(T), t.failed(operation, ErrChanged)
}

// delete deletes the row of an id. What it was part of is another now: also are "update ... from gone" for that.
func (t table[T]) delete(ctx context.Context, id int64, version Version, also ...string) error {
	s, err := changing(ctx, t.noun)
	if err != nil {
		return t.failed("delete", err)
	}
	s.deletes = true
	s.add("with gone as (delete from " + t.noun.table + " where ")
	t.at(s, id, version)
	s.add(" returning *)")
	for i, update := range also {
		s.add(", also_" + strconv.Itoa(i) + " as (" + update + ")")
	}
	s.add(" select " + s.named(t.columns) + " from gone " + t.noun.table)
	_, err = t.changed(ctx, "delete", id, s)
	return err
}

// at adds the condition for the row of an id, in that version, if the viewer may see it.
func (t table[T]) at(s *statement, id int64, version Version) {
	s.add(t.noun.table+".id = ?", id)
	if version != AnyVersion {
		s.add(" and "+t.noun.table+".updated_at = ?", version.time())
	}
	s.visible()
}

// one runs a statement that returns a row. None is [ErrNotFound], unless the viewer's session is over.
func (t table[T]) one(ctx context.Context, operation string, s *statement) (row T, err error) {
	rows, err := t.query(ctx, s)
	switch {
	case err != nil:
		return row, t.failed(operation, err)
	case len(rows) == 1:
		return rows[0], nil
	}
	if err = t.stillCurrent(ctx, s.viewer); err == nil {
		err = ErrNotFound
	}
	return row, t.failed(operation, err)
}

func (t table[T]) query(ctx context.Context, s *statement) ([]T, error) {
	rows, err := t.db.Query(ctx, s.text.String(), s.args...)
	if err != nil {
		return nil, fromDatabase(err, s.deletes)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	return found, fromDatabase(err, s.deletes)
}

// stillCurrent returns [ErrSessionOver] where that is why a statement has found nothing. Only then it is asked for: a
// statement that finds something has looked already.
func (t table[T]) stillCurrent(ctx context.Context, v Viewer) error {
	if v.UserID == 0 {
		return nil
	}
	s := &statement{viewer: v}
	s.add("select ")
	s.current()
	rows, err := t.db.Query(ctx, s.text.String(), s.args...)
	if err != nil {
		return err
	}
	if ok, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool]); err != nil || ok {
		return err
	}
	return ErrSessionOver
}

func (t table[T]) failed(operation string, err error) error {
	return fmt.Errorf("%s %s: %w", operation, t.noun.singular, err)
}
