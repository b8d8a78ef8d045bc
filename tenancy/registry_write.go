package tenancy

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// writeTries is how often a change of the registry is tried while the queue of notifications is
// full.
const writeTries = 5

// write calls fn, one statement or transaction that changes tenants or domains, and calls it again
// if its COMMIT fails because the queue of notifications is full, which every role can fill. The
// triggers of the registry do not notify while the queue is more than a quarter full. So fn fails
// only if the queue has filled up between its statement and its COMMIT, and the next call sends no
// notification.
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

// writeRow is write for a statement that returns one row.
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
