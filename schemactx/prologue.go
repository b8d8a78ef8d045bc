package schemactx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

const (
	beginSQL      = "begin"
	commitSQL     = "commit"
	deallocateSQL = "deallocate all"
	closeSQL      = "close all"

	resetRoleSQL = "reset role"
	resetPathSQL = "reset search_path"
	resetNameSQL = "reset application_name"
)

// prologue is the list of statements that are sent before a statement in the same round trip. Their
// order is: the scrub after another tenant, BEGIN, DEALLOCATE ALL if prepared statements are stale,
// a read of the catalogs, settings, the scope or an assertion of it, savepoints. BEGIN is the first
// statement of its transaction, because an isolation level must precede everything that takes a
// snapshot.
type prologue []internalStmt

// internalStmt is an internal statement: one that this package sends and not the caller.
type internalStmt struct {
	step   step
	sql    string
	params [][]byte
}

// step is the purpose of an internal statement.
type step uint8

const (
	stepDeallocate  step = iota // deallocateSQL
	stepScrub                   // BEGIN of the scrub, or a statement of scrubSQL
	stepScrubbed                // COMMIT of the scrub
	stepBegin                   // BEGIN of the unit of work
	stepPrepared                // foreignPreparedSQL
	stepFingerprint             // fingerprintSQL
	stepFacts                   // factsSQL
	stepSettings                // settings of [WithSettings] and [TxOptions]
	stepScope                   // the scope statement
	stepAssert                  // the assertion of the scope
	stepSavepoint
	stepReset  // a reset of the role or the like, after stepCommit
	stepCommit // COMMIT of the unit of work
)

// prologue returns the statements to send before those of the caller. tx is the transaction of the
// unit. If tx is nil, begin says whether the statement or batch gets a transaction block.
func (u *unitOfWork) prologue(tx *txState, begin bool) prologue {
	var f prologue
	if tx != nil && tx.begun {
		if tx.assertionDue() {
			f = append(f, u.assertion())
		}
		return f.savepoints(tx)
	}
	f = u.scrub()
	switch {
	case tx != nil:
		f = append(f, internalStmt{step: stepBegin, sql: tx.begin})
	case begin:
		f = append(f, internalStmt{step: stepBegin, sql: beginSQL})
	}
	if u.state.preparedStale {
		f = append(f, internalStmt{step: stepDeallocate, sql: deallocateSQL})
	}
	f = append(f, u.catalogStatements()...)
	f = append(f, u.settingsStatements()...)
	f = append(f, internalStmt{stepScope, u.scope.sql, u.scopeParams()})
	return f.savepoints(tx)
}

// scrub returns the statements that remove the session state of another tenant. They are a separate
// transaction, because UNLISTEN takes effect at COMMIT, and an error of the caller's statement must
// not undo it.
func (u *unitOfWork) scrub() prologue {
	if !u.state.dirty(u.scope.schema) {
		return nil
	}
	f := prologue{{step: stepScrub, sql: beginSQL}}
	if u.state.preparedDirty && !u.state.preparedStale {
		f = append(f, internalStmt{step: stepPrepared, sql: foreignPreparedSQL})
	}
	for _, sql := range scrubSQL {
		f = append(f, internalStmt{step: stepScrub, sql: sql})
	}
	return append(f, internalStmt{step: stepScrubbed, sql: commitSQL})
}

// refused returns a [ScopeError] for the server's error. It closes the connection if the scope has
// changed.
func (u *unitOfWork) refused(err error) error {
	err = u.scope.refused(err)
	if errors.Is(err, ErrScopeChanged) {
		u.destroy()
	}
	return err
}

// savepoints appends the savepoints of tx that were not sent yet.
func (f prologue) savepoints(tx *txState) prologue {
	if tx != nil {
		for _, name := range tx.savepoints {
			f = append(f, internalStmt{step: stepSavepoint, sql: "savepoint " + name})
		}
	}
	return f
}

// has reports whether the prologue contains a step.
func (f prologue) has(s step) bool {
	return slices.ContainsFunc(f, func(o internalStmt) bool { return o.step == s })
}

// read reads the results of the prologue, each with a call of next, and records their effects in
// the unit and tx. It stops at the first error and returns it.
func (f prologue) read(u *unitOfWork, tx *txState, next func() ([][][]byte, error)) error {
	for _, o := range f {
		rows, err := next()
		switch {
		case err == nil && tx != nil:
			tx.passed(o)
		case err != nil && o.step == stepSettings:
			return u.settingsRefused(err)
		case err != nil && o.step == stepScope:
			return u.refused(err)
		case err != nil && o.step == stepAssert && sqlstate.Is(err, sqlstate.DivisionByZero):
			return fmt.Errorf("%w: found before the next statement ran", ErrScopeChanged)
		case err != nil && (o.step == stepFingerprint || o.step == stepFacts):
			return &catalogError{err}
		case err != nil && o.step == stepPrepared && sqlstate.Is(err, sqlstate.DivisionByZero):
			return errForeignPrepared
		case err != nil && sqlstate.Is(err, sqlstate.InvalidStatement) && (tx == nil || !tx.begun):
			return fmt.Errorf("%w: %w", errForeignPrepared, err) // a function has deallocated an internal statement
		case err != nil:
			return err
		}
		switch o.step {
		case stepDeallocate:
			u.state.preparedStale = false // also if the transaction fails
		case stepScrubbed:
			u.db.stats.scrubs.Add(1)
			u.state.dirtyBy, u.state.preparedDirty = "", false
		case stepScope:
			u.db.accepted(u.scope)
		case stepFingerprint, stepFacts:
			u.noteCatalog(o.step, rows)
		case stepBegin, stepScrub, stepPrepared, stepSettings, stepAssert, stepSavepoint, stepReset, stepCommit:
		}
	}
	return nil
}

// queue appends the statement to a batch. It uses the prepared statement if the connection has one.
func (o internalStmt) queue(cs *connState, b *pgconn.Batch, named bool) {
	if sd := cs.internal[o.sql]; named && sd != nil {
		b.ExecPrepared(sd.Name, o.params, nil, nil)
		return
	}
	b.ExecParams(o.sql, o.params, nil, nil, nil)
}

// nextResult returns a function that reads the next result of a batch to its end.
func nextResult(mrr *pgconn.MultiResultReader) func() ([][][]byte, error) {
	return func() ([][][]byte, error) {
		if !mrr.NextResult() {
			return nil, mrr.Close()
		}
		r := mrr.ResultReader().Read()
		return r.Rows, r.Err
	}
}
