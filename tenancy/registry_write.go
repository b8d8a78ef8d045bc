package tenancy

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
func writeRow[T any](ctx context.Context, db Querier, scan pgx.RowToFunc[T], sql string, args ...any) (row T, err error) {
	err = write(func() error {
		rows, err := db.Query(ctx, sql, args...)
		if err == nil {
			row, err = pgx.CollectExactlyOneRow(rows, scan)
		}
		return err
	})
	return row, err
}

// writeExec is write for a statement that returns no rows. It returns the number of changed rows.
func (m *Manager) writeExec(ctx context.Context, sql string, args ...any) (changed int64, err error) {
	err = write(func() error {
		tag, err := m.registry.Exec(ctx, sql, args...)
		changed = tag.RowsAffected()
		return err
	})
	return changed, err
}

// writeTx is write for a transaction. fn may be called more than once.
func (m *Manager) writeTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return write(func() error { return pgx.BeginFunc(ctx, m.registry, fn) })
}
