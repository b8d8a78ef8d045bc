package tenancy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/registrydb"
)

// writeTries is the maximum number of attempts of a change while the queue of notifications is
// full.
const writeTries = 5

// write calls fn, which runs one statement or transaction that changes tenants or domains. It
// retries fn if the COMMIT fails because the queue of notifications is full. Every role can fill
// that queue. The triggers of the registry send no notification while the queue is more than a
// quarter full. So fn fails only if the queue fills up between its statement and its COMMIT, and
// the next call sends no notification.
func write(fn func() error) (err error) {
	for range writeTries {
		if err = fn(); !queueFull(err) {
			return initialized(err)
		}
	}
	return err
}

// queueFull reports whether a COMMIT has failed because the queue of notifications was full
// (program_limit_exceeded).
func queueFull(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "54000"
}

// writeRow is write for a statement that returns one row, which it returns.
func writeRow[T any](
	ctx context.Context, db Querier, scan pgx.RowToFunc[T], sql string, args ...any,
) (row T, err error) {
	err = write(func() error {
		rows, err := db.Query(ctx, sql, args...)
		if err == nil {
			row, err = pgx.CollectExactlyOneRow(rows, scan)
		}
		return err
	})
	return row, err
}

// change is one statement that changes the registry: a WITH in which the relation t has the
// tenant's new row.
type change struct {
	with string // SQL, the queries of the WITH
	from string // SQL, the relations of the SELECT; default: t
	args []any
	none error // the error if t is empty; default: [pgx.ErrNoRows]
}

// update returns the change that sets columns of the tenant if the condition holds. Both are SQL
// with arguments from $2.
func (t *Tenant) update(condition, set string, args ...any) change {
	return change{
		with: "t as (update {registry}.tenants as t set " + set + " where id = $1 and " + condition + " returning *)",
		args: append([]any{t.ID}, args...),
	}
}

// unchanged returns the change that leaves the tenant's row as it is.
func (t *Tenant) unchanged() change {
	return change{with: "t as (select * from {registry}.tenants where id = $1)", args: []any{t.ID}}
}

// change runs the statement through the session, and sets t to the tenant's new row. op is the
// tenant's operation from then on: nil leaves the recorded operation unchanged, and an Operation
// without Op deletes it.
func (l *lock) change(ctx context.Context, t *Tenant, c change, op *Operation) error {
	with, column := c.with, operationColumn
	switch {
	case op != nil && op.Op == "":
		with += ", o as (delete from {registry}.registry_operations where tenant_id in (select id from t))"
		column = "null::jsonb"
	case op != nil:
		with, column = with+", o as ("+recordSQL(len(c.args))+")", "(select "+operationJSON+" from o)"
		c.args = append(c.args, op.Op, op.Step, op.Failure, op.Actor, op.arguments())
	}
	sql := "with " + with + " select " + detailsColumns(column) + " from " + cmp.Or(c.from, "t")
	return l.use(func(conn *registrydb.Conn) error {
		changed, err := writeRow(ctx, conn, scanTenant, sql, c.args...)
		switch {
		case errors.Is(err, pgx.ErrNoRows) && c.none != nil:
			return c.none
		case err != nil:
			return conflict(err)
		}
		*t = changed
		return nil
	})
}

// recordSQL returns SQL that records the operation of the tenant t. Its arguments follow $n. An
// operation that goes on keeps the arguments that only a later release knows, also while a drop has
// taken its place.
func recordSQL(n int) string {
	return fmt.Sprintf(`insert into {registry}.registry_operations as o
			(tenant_id, operation, step, failure, actor, arguments)
		select id, $%d::text, $%d::text, $%d::text, $%d::text, $%d::text::jsonb from t
		on conflict (tenant_id) do update set operation = excluded.operation, step = excluded.step,
			failure = excluded.failure, actor = excluded.actor,
			arguments = case when o.operation = excluded.operation or 'drop' in (o.operation, excluded.operation)
				then o.arguments - 'reopen' else '{}' end || excluded.arguments,
			began_at = case when o.operation = excluded.operation then o.began_at else now() end
		returning *`, n+1, n+2, n+3, n+4, n+5)
}

// arguments returns the arguments of the operation as JSON.
func (o *Operation) arguments() string {
	text, _ := json.Marshal(struct { // never fails
		Schema     string `json:"schema,omitempty"`
		Reactivate bool   `json:"reopen,omitempty"`
	}{o.Schema, o.Reactivate})
	return string(text)
}
