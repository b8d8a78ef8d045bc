package migrate

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs that this package acts on.
const (
	undefinedTable    = "42P01"
	duplicateTable    = "42P07"
	undefinedColumn   = "42703"
	undefinedFunction = "42883"
	datatypeMismatch  = "42804"
	cannotCoerce      = "42846"
	invalidText       = "22P02"
	divisionByZero    = "22012"
	wrongObjectType   = "42809"
	invalidSchemaName = "3F000"
	uniqueViolation   = "23505"
	invalidSavepoint  = "3B001"
	lockNotAvailable  = "55P03"
	deadlockDetected  = "40P01"
)

func stateIs(err error, states ...string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains(states, pgErr.Code)
}
