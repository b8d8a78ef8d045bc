package backup

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// lockSQL returns a statement that locks the tables of a schema against ALTER and DROP. It returns
// an empty string for a schema without tables.
func lockSQL(ctx context.Context, q querier, schema string) (string, error) {
	rows, err := q.Query(ctx, lockableSQL, schema)
	if err != nil {
		return "", err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) == 0 {
		return "", err
	}
	for i, name := range names {
		if names[i], err = schemactx.QuoteName(schema, name); err != nil {
			return "", err
		}
	}
	return "lock table " + strings.Join(names, ", ") + " in access share mode", nil
}
