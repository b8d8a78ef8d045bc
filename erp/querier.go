package erp

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Querier runs a statement in the school of its context. A store needs nothing else: each of its
// methods is one statement, also if it writes several tables, so that it succeeds or fails as a
// whole. On a transaction several methods succeed or fail together. Stores pass
// [pgx.StrictNamedArgs].
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

var (
	_ Querier = (*schemactx.DB)(nil)
	_ Querier = pgx.Tx(nil)
)
