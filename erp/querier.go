package erp

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Querier runs a statement in the school of its context. It is all that a store needs: each of its methods is one
// statement, also where it writes several tables, so that it happens as a whole or not at all. Several of them happen
// together on a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

var (
	_ Querier = (*schemactx.DB)(nil)
	_ Querier = pgx.Tx(nil)
)
