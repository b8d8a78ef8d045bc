package schemactx

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// A prepared statement is stale when a migration has changed its result, its tables or the types of
// its parameters since it was prepared, or when it is gone. The server finds that when it binds the
// statement, before it runs anything of it. What has been tried is tried once more where nothing is
// lost: a statement or a batch outside of a transaction, and the first one in a transaction. A
// later one is an error, which [TxOptions].MaxRetries takes for one that passes.

// planChangedRoutine is PostgreSQL's function that raises "cached plan must not change result
// type". The SQLSTATE alone is that of everything that the server cannot do.
const planChangedRoutine = "RevalidateCachedQuery"

// PostgreSQL's functions that raise "cache lookup failed for type" when an argument has a type that
// is gone.
const (
	typeGoneRoutine       = "getTypeInputInfo"
	typeGoneBinaryRoutine = "getTypeBinaryInputInfo"
)

// planChanged reports whether the columns of a prepared statement are no longer what they were.
func planChanged(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == sqlstate.FeatureUnsupported && pgErr.Routine == planChangedRoutine
}

// stale reports whether the server refused to bind a prepared statement that would be another one
// if it were prepared now. hit says that its description or its types were there from an earlier
// call, so that its parameters may have others.
func stale(err error, hit bool) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case sqlstate.FeatureUnsupported, sqlstate.ProtocolViolation, sqlstate.InvalidStatement:
		return true
	case sqlstate.UndefinedFunction, sqlstate.DatatypeMismatch, sqlstate.InvalidBinary:
		return hit
	case sqlstate.InternalError:
		return hit && (pgErr.Routine == typeGoneRoutine || pgErr.Routine == typeGoneBinaryRoutine)
	}
	return false
}

// prepared returns the statement where the connection has it prepared, and not from before a
// [DB.Refresh].
func (u *unitOfWork) prepared(sql string) *stmt {
	key := stmtKey{u.scope.schema, sql}
	st := u.state.cache.get(key)
	if st != nil && st.age < u.scope.age {
		u.state.cache.drop(key)
		return nil
	}
	return st
}

// beginning is how a transaction was before its first statement, to which it can be brought back.
type beginning struct {
	possible   bool
	savepoints []string
}

func (st *txState) beginning() beginning {
	if st == nil {
		return beginning{possible: true}
	}
	return beginning{possible: !st.worked, savepoints: st.savepoints}
}

// restart brings the unit back to the beginning. It reports false where it cannot, as something
// would be lost.
func (u *unitOfWork) restart(ctx context.Context, tx *txState, b beginning) bool {
	if !b.possible || u.conn.IsClosed() || u.status() != 'I' && u.rollback(ctx) != nil {
		return false
	}
	if tx != nil {
		tx.begun, tx.suspect, tx.savepoints = false, false, b.savepoints
	}
	return true
}
