package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotInitialized is returned by everything that reads or changes the registry if the database
// has none in the configured schema, or lacks what a later release has added to it: [Manager.Init]
// has not run there, or the registry is in another schema. Nothing was changed. The error of
// PostgreSQL is wrapped, too, and names the schema if a table is missing.
var ErrNotInitialized = errors.New("the configured schema has no registry, or that of an earlier release: " +
	"run Manager.Init as the owner (programs with the commands of package manage: init); " +
	"if the registry is in another schema, set RegistrySchema or InSchema to it")

// initialized wraps with [ErrNotInitialized] the error of a statement on the registry that has not
// found a table or column (undefined_table, undefined_column, invalid_schema_name).
func initialized(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || errors.Is(err, ErrNotInitialized) {
		return err
	}
	switch pgErr.Code {
	case "42P01", "42703", "3F000":
		return fmt.Errorf("%w: %w", ErrNotInitialized, err)
	}
	return err
}

// initializedQuerier is a [Querier] whose errors are those of initialized.
type initializedQuerier struct{ db Querier }

// Query runs the query.
func (q initializedQuerier) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := q.db.Query(ctx, sql, args...)
	if err != nil {
		return rows, initialized(err)
	}
	return initializedRows{rows}, nil
}

// initializedRows are rows whose error is that of initialized.
type initializedRows struct{ pgx.Rows }

// Err returns the error that ended the rows.
func (r initializedRows) Err() error { return initialized(r.Rows.Err()) }
