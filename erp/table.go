package erp

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// record is a row of a table.
type record interface {
	id() int64
	Version() Version
}

// table is the common part of the stores: the statements on one table, each limited to the rows
// that the viewer may see.
type table[T record] struct {
	db      Querier
	entity  entity
	columns func(access) string // of T, in the order of its fields
}

// always returns columns that are the same for every viewer.
func always(columns string) func(access) string { return func(access) string { return columns } }

// get returns the row with an id.
func (t table[T]) get(ctx context.Context, id int64) (T, error) {
	a, err := mayRead(ctx, t.entity)
	if err != nil {
		return *new(T), t.failed("get", err)
	}
	return t.one(ctx, "get", a, "select "+t.columns(a)+" from "+t.entity.table+
		" where "+t.entity.table+".id = @id and "+a.visible(), pgx.StrictNamedArgs{"id": id})
}

// list returns a page of the rows that match a filter, by id, and the After of the next page, or 0
// if there is none.
func (t table[T]) list(ctx context.Context, page Page, filter func(access) filter) (rows []T, next int64, err error) {
	if err := page.validate(); err != nil {
		return nil, 0, err
	}
	a, err := mayRead(ctx, t.entity)
	if err != nil {
		return nil, 0, t.failed("list", err)
	}
	where := filter(a)
	where.add(t.entity.table+".id > @after", "after", page.After)
	where.value("limit", page.limit()+1) // one more than asked for tells whether there is a next page
	rows, err = t.query(ctx, a, "select "+t.columns(a)+" from "+t.entity.table+
		" where "+strings.Join(where.conditions, " and ")+" and "+a.visible()+
		" order by "+t.entity.table+".id limit @limit", where.args)
	if err == nil && len(rows) == 0 {
		err = t.checkSession(ctx, a.viewer)
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

// target is the condition for the row @id in the version @version, if the viewer may see it. The
// statement is run by [table.changed].
func (t table[T]) target(a access, version Version) string {
	condition := t.entity.table + ".id = @id and "
	if version != AnyVersion {
		condition += t.entity.table + ".updated_at = @version and "
	}
	return condition + a.visible()
}

// changed runs a statement that changes the row of [table.target], and returns the row. If the row
// has another version, the error is [ErrChanged].
func (t table[T]) changed(
	ctx context.Context, operation string, a access, id int64, version Version, sql string, args pgx.StrictNamedArgs,
) (T, error) {
	args["id"] = id
	if version != AnyVersion {
		args["version"] = version.time()
	}
	row, err := t.one(ctx, operation, a, sql, args)
	if !errors.Is(err, ErrNotFound) {
		return row, err
	}
	if _, err := t.get(ctx, id); err != nil { // the row is not there in any version
		return *new(T), t.failed(operation, err)
	}
	return *new(T), t.failed(operation, ErrChanged)
}

// delete deletes the row with an id. If update is not empty, it is an update of rows that the row
// was part of, "update ... from deleted ...", in the same statement.
func (t table[T]) delete(ctx context.Context, id int64, version Version, update string) error {
	a, err := mayChange(ctx, t.entity)
	if err != nil {
		return t.failed("delete", err)
	}
	a.deletes = true
	sql := "with deleted as (delete from " + t.entity.table + " where " + t.target(a, version) + " returning *)"
	if update != "" {
		sql += ", updated as (" + update + ")"
	}
	sql += " select " + t.columns(a) + " from deleted " + t.entity.table
	_, err = t.changed(ctx, "delete", a, id, version, sql, pgx.StrictNamedArgs{})
	return err
}

// one runs a statement that returns one row. If it returns none, the error is [ErrNotFound], or
// [ErrSessionOver] if that is the reason.
func (t table[T]) one(
	ctx context.Context, operation string, a access, sql string, args pgx.StrictNamedArgs,
) (row T, err error) {
	rows, err := t.query(ctx, a, sql, args)
	switch {
	case err != nil:
		return row, t.failed(operation, err)
	case len(rows) == 1:
		return rows[0], nil
	}
	if err = t.checkSession(ctx, a.viewer); err == nil {
		err = ErrNotFound
	}
	return row, t.failed(operation, err)
}

func (t table[T]) query(ctx context.Context, a access, sql string, args pgx.StrictNamedArgs) ([]T, error) {
	return collect(ctx, t.db, a, pgx.RowToStructByPos[T], sql, args)
}

// collect runs a statement for the viewer and returns its rows. An error that the input has caused
// is an [InputError].
func collect[T any](
	ctx context.Context, db Querier, a access, scan pgx.RowToFunc[T], sql string, args pgx.StrictNamedArgs,
) ([]T, error) {
	rows, err := db.Query(ctx, sql, a.args(sql, args))
	if err != nil {
		return nil, fromDatabase(err, a.deletes)
	}
	found, err := pgx.CollectRows(rows, scan)
	return found, fromDatabase(err, a.deletes)
}

// checkSession returns [ErrSessionOver] if the viewer's session is over. It is called only after a
// statement that found nothing: every statement checks the session itself.
func (t table[T]) checkSession(ctx context.Context, v Viewer) error {
	if v.UserID == 0 {
		return nil
	}
	valid, err := collect(ctx, t.db, access{viewer: v}, pgx.RowTo[bool], "select "+sessionValid, pgx.StrictNamedArgs{})
	if err == nil && !valid[0] {
		err = ErrSessionOver
	}
	return err
}

func (t table[T]) failed(operation string, err error) error {
	return fmt.Errorf("%s %s: %w", operation, t.entity.singular, err)
}
