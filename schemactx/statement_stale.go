package schemactx

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// A prepared statement is stale if, since it was prepared, a migration has changed its result, its
// tables or the types of its parameters, or if it is gone. The server reports that when it binds
// the statement, before it runs any of it. It is then sent once more if nothing is lost by that: a
// statement or a batch outside of a transaction, and the first one in a transaction. For a later
// one the error is returned, which [TxOptions].MaxRetries retries.

// planChangedRoutine is PostgreSQL's function that raises "cached plan must not change result
// type". The SQLSTATE alone is not sufficient, because every unsupported feature has it.
const planChangedRoutine = "RevalidateCachedQuery"

// The functions of PostgreSQL that raise "cache lookup failed for type" if the type of an argument
// no longer exists.
const (
	typeGoneRoutine       = "getTypeInputInfo"
	typeGoneBinaryRoutine = "getTypeBinaryInputInfo"
)

// planChanged reports whether the result columns of a prepared statement have changed.
func planChanged(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == sqlstate.FeatureUnsupported && pgErr.Routine == planChangedRoutine
}

// stale reports whether the server refused to bind a prepared statement because it is stale. hit
// says that its description or its types are from an earlier call, so its parameters may have other
// types by now.
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

// prepared returns the statement if the connection has prepared it after the last [DB.Refresh],
// else nil.
func (u *unitOfWork) prepared(sql string) *stmt {
	key := stmtKey{u.scope.schema, sql}
	st := u.state.cache.get(key)
	if st != nil && st.age < u.scope.age {
		u.state.cache.drop(key)
		return nil
	}
	return st
}

// beginning is the state of a transaction before a statement or a batch, for restart.
type beginning struct {
	possible   bool // no statement has run in the transaction yet
	savepoints []string
	stack      []savepoint
}

func (st *txState) beginning() beginning {
	if st == nil {
		return beginning{possible: true}
	}
	return beginning{possible: !st.worked, savepoints: st.savepoints, stack: slices.Clone(st.stack)}
}

// restart puts the unit back into the state b. It returns false if that would lose work or is not
// possible.
func (u *unitOfWork) restart(ctx context.Context, tx *txState, b beginning) bool {
	if !b.possible || u.conn.IsClosed() || u.status() != 'I' && u.rollback(ctx) != nil {
		return false
	}
	if tx != nil {
		tx.begun, tx.suspect, tx.savepoints, tx.stack = false, false, b.savepoints, slices.Clone(b.stack)
	}
	return true
}
