package schemactx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// txState is the state that a transaction and its savepoints share.
type txState struct {
	mu   sync.Mutex // held while the connection is in use
	unit unitOfWork

	begin      string            // BEGIN with its options
	begun      bool              // the server has executed BEGIN
	worked     bool              // a statement has run in it
	savepoints []string          // to be set with the next statement
	stack      []savepoint       // all current savepoints, the innermost last
	count      int               // number of savepoints so far, for their names
	names      map[string]string // SQL of prepared statements, by name
	outer      *settings         // of the context that it began with
	suspect    bool              // a statement may have changed the scope since the last assertion
	reset      bool              // a statement may have set the role for the session
	busy       bool              // a statement runs or has open rows
	err        error             // why it ended, if a statement ended it

	ending sync.Mutex // held while over changes, and while interrupt uses the connection
	over   bool
}

// passed records that the server has executed a statement of the prologue.
func (st *txState) passed(o internalStmt) {
	switch o.step {
	case stepBegin:
		st.begun = true
	case stepAssert:
		st.suspect = false
	case stepSavepoint:
		st.savepoints = st.savepoints[1:]
	case stepDeallocate,
		stepScrub,
		stepScrubbed,
		stepPrepared,
		stepFingerprint,
		stepFacts,
		stepSettings,
		stepScope,
		stepReset,
		stepCommit:
	}
}

// named returns the SQL of the prepared statement with this name, or sql itself.
func (st *txState) named(sql string) string {
	if st == nil {
		return sql
	}
	if s, ok := st.names[sql]; ok {
		return s
	}
	return sql
}

// sameSettings reports whether the transaction provides the settings s of a statement's context.
// Either the transaction has them, or they are those of the context that it began with, some of
// which its options may have overridden.
func (st *txState) sameSettings(s *settings) bool {
	return s.within(st.unit.settings) || s.within(st.outer)
}

// ifSnapshot returns the transaction if it uses one snapshot for all its statements, catalogs
// included, else nil.
func (st *txState) ifSnapshot() *txState {
	if st != nil &&
		(strings.Contains(st.begin, string(pgx.RepeatableRead)) || strings.Contains(st.begin, string(pgx.Serializable))) {
		return st
	}
	return nil
}

// assertionDue reports whether the scope must be asserted before the next statement. In a failed
// transaction nothing runs, and the statement must return its own error. So suspect is unchanged
// until the failure has been rolled back.
func (st *txState) assertionDue() bool { return st.suspect && st.unit.status() != 'E' }

// after ends the transaction if a statement has left its scope, so that nothing runs outside of it.
// err is the statement's error.
func (st *txState) after(kind sqlKind, err error) error {
	st.busy, st.worked = false, st.worked || st.begun
	var scopeErr *ScopeError
	left := errors.Is(err, ErrScopeChanged) || errors.As(err, &scopeErr)
	status := st.unit.status()
	st.suspect = kind.mayChangeScope() || st.suspect && (err != nil || status == 'E')
	st.reset = st.reset || st.unit.needsReset(kind)
	inside := status == 'T' || status == 'E' || !st.begun && status == 'I'
	switch {
	case inside && !left:
		return err
	case errors.Is(err, ErrScopeChanged), err == nil:
		st.err = errors.Join(ErrTransactionEnded, err)
	default:
		st.err = err // the connection is lost, or the server refused the scope
	}
	if kind == kindRefused || errors.Is(err, ErrSettingRefused) {
		_ = st.unit.rollback(context.Background()) // not sent, or refused: the session is unchanged
	} else {
		st.unit.destroy()
	}
	st.end()
	return st.err
}

// abandoned ends the transaction because the caller's code has panicked in it. The caller of
// abandoned releases the connection.
func (st *txState) abandoned() {
	if st.over {
		return
	}
	st.err = fmt.Errorf("%w: a panic, in a hook or the like", ErrTransactionEnded)
	st.finish()
}

// finish marks the transaction as ended.
func (st *txState) finish() {
	st.ending.Lock()
	st.over = true
	st.ending.Unlock()
	st.unit.noteEnd()
}

// end marks the transaction as ended and returns its connection to the pool.
func (st *txState) end() {
	st.finish()
	st.unit.release()
}

func (st *txState) commit(ctx context.Context) error {
	switch {
	case !st.begun && st.unit.conn.IsClosed():
		st.end() // a statement was sent, and no response came
		return fmt.Errorf("%w: the connection is lost", pgx.ErrTxCommitRollback)
	case !st.begun:
		st.end() // nothing was sent
		return nil
	case st.unit.status() == 'E':
		err := st.rollback(ctx)
		return errors.Join(pgx.ErrTxCommitRollback, err)
	}
	err := st.sendCommit(ctx)
	if st.unit.status() != 'I' {
		st.unit.destroy()
	}
	if err != nil {
		st.unit.db.statementFailure(ctx, st.unit.scope.schema, commitSQL, err)
	}
	st.end()
	return err
}

// sendCommit commits, in one round trip. If a statement may have changed the scope, an assertion of
// the scope precedes COMMIT, because deferred work would otherwise run in another scope.
func (st *txState) sendCommit(ctx context.Context) error {
	var before prologue
	if st.suspect {
		before = prologue{st.unit.assertion()}
	}
	sql := commitSQL
	if st.reset { // see queueEpilogue
		sql = strings.Join(append([]string{commitSQL}, st.unit.resets()...), "; ")
	}
	results, err := st.unit.conn.PgConn().Exec(ctx, before.simple()+sql).ReadAll()
	switch {
	case err == nil:
		if tag := results[len(before)].CommandTag.String(); tag != "COMMIT" {
			err = fmt.Errorf("%w: %s", pgx.ErrTxCommitRollback, tag)
		}
	case before != nil && sqlstate.Is(err, sqlstate.DivisionByZero) && (len(results) == 0 || results[0].Err != nil):
		err = fmt.Errorf("%w: found before the commit", ErrScopeChanged)
	}
	return err
}

func (st *txState) rollback(ctx context.Context) error {
	defer st.end()
	if st.unit.status() == 'I' {
		return nil // nothing was sent, or the connection is gone
	}
	return st.unit.rollback(ctx)
}

// lockForEnd locks the transaction for its end. It interrupts a statement that runs on another
// goroutine, because that must not continue on a connection that the next tenant will use. After an
// interruption, and if rows are open, it closes the connection.
func (st *txState) lockForEnd() {
	if !st.mu.TryLock() {
		interrupted := st.interrupt()
		st.mu.Lock()
		st.busy = st.busy || interrupted
	}
	if st.busy && !st.over {
		st.unit.destroy()
	}
}

// interrupt makes reads and writes on the connection fail, if the transaction still has it.
func (st *txState) interrupt() bool {
	st.ending.Lock()
	defer st.ending.Unlock()
	if st.over {
		return false
	}
	// safe on any goroutine; it fails only on a connection that is closed already
	_ = st.unit.conn.PgConn().Conn().SetDeadline(time.Unix(1, 0))
	return true
}

// unsent removes a savepoint, and those inside of it, if it was not sent to the server yet. It
// returns false if it was sent.
func (st *txState) unsent(name string) bool {
	i := slices.Index(st.savepoints, name)
	if i < 0 {
		return false
	}
	st.savepoints = st.savepoints[:i]
	return true
}

func (st *txState) release(ctx context.Context, name string) error {
	st.cutBegun(name)
	if st.unsent(name) {
		return nil
	}
	if st.unit.status() == 'E' {
		return errors.Join(pgx.ErrTxCommitRollback, st.rollbackTo(ctx, name))
	}
	return st.control(ctx, "release savepoint "+name)
}

func (st *txState) rollbackTo(ctx context.Context, name string) error {
	st.cutBegun(name)
	if st.unsent(name) {
		return nil
	}
	return st.control(ctx, "rollback to savepoint "+name)
}

// control runs a command on the transaction itself.
func (st *txState) control(ctx context.Context, sql string) error {
	st.savepoints = nil
	if _, err := st.unit.conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		return st.after(kindRead, err)
	}
	return nil
}
