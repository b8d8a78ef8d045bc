package tenancy

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
)

// ErrNotInitialized is returned by everything that reads or changes the registry if the configured
// schema has none, or if the registry lacks what a later release has added: [Manager.Init] has not
// run, or the registry is in another schema. Nothing was changed. The error wraps that of
// PostgreSQL, which names the schema if a table is missing.
var ErrNotInitialized = registrydb.ErrNotInitialized

func initialized(err error) error { return registrydb.Initialized(err) }

// initializedQuerier is a [Querier] that returns [ErrNotInitialized] where there is no registry.
type initializedQuerier struct{ db Querier }

// Query runs the query.
func (q initializedQuerier) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := q.db.Query(ctx, sql, args...)
	if err != nil {
		return rows, initialized(err)
	}
	return initializedRows{rows}, nil
}

type initializedRows struct{ pgx.Rows }

// Err returns the error that ended the rows.
func (r initializedRows) Err() error { return initialized(r.Rows.Err()) }
