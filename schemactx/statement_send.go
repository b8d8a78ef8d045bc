package schemactx

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// oneRow executes a portal for one row and leaves it suspended.
var oneRow = pgproto3.Execute{MaxRows: 1}

// sendAlone sends the statement after its scope, or, in a transaction, after an assertion of the
// scope if one is due.
//
// The messages of the scope are in the connection's buffer until pgconn adds those of the statement
// and writes all at once: Bind, Execute, Bind, Execute, Sync. Everything up to Sync is one implicit
// transaction, so the settings of the scope end with the statement. The scope's portal returns one
// row and is executed for one row. So the server answers it with DataRow and PortalSuspended,
// without CommandComplete, and pgconn takes its row for the first row of the statement. sendAlone
// reads that row, which shows that the server has accepted the scope. Nothing else is sent, read or
// allocated. pgconn continues to handle cancellation, notices and the transaction status.
func (s *statement) sendAlone(ctx context.Context, sd *pgconn.StatementDescription) error {
	if err := ctx.Err(); err != nil {
		return err // else the buffer would be sent with the next unit's statement
	}
	queued := s.queueScope()
	pc, eqb := s.conn.PgConn(), &s.state.eqb
	if sd != nil {
		s.rr = pc.ExecStatement(ctx, sd, eqb.ParamValues, eqb.ParamFormats, s.input.results)
	} else {
		s.rr = pc.ExecParams(ctx, s.text(s.input.sql), eqb.ParamValues, nil, eqb.ParamFormats, s.input.results)
	}
	if !queued {
		return nil
	}
	if s.rr.NextRow() {
		s.db.accepted(s.scope)
		s.state.scopeVerified = s.tx == nil && s.scope.login
		return nil
	}
	_, err := s.rr.Close()
	return s.scopeRefused(err)
}

// queueScope puts the scope or its assertion into the connection's buffer. It returns false if
// neither is necessary.
func (s *statement) queueScope() bool {
	f := s.conn.PgConn().Frontend()
	parse, bind := &s.scope.parse, s.scopeBind(&s.scope.unnamed)
	switch {
	case s.tx != nil && !s.tx.assertionDue(), s.tx == nil && s.state.scopeVerified:
		return false
	case s.tx != nil:
		o := s.assertion()
		parse, bind = &pgproto3.Parse{Query: o.sql}, &pgproto3.Bind{Parameters: o.params}
	case s.input.prepared() && s.state.internal[s.scope.sql] != nil:
		parse, bind = nil, s.scopeBind(&s.scope.named)
	}
	if parse != nil {
		f.SendParse(parse)
	}
	f.SendBind(bind)
	f.SendExecute(&oneRow)
	return true
}

// scopeRefused returns the error for a scope or an assertion that failed with err. If err is not an
// error of the server, it is unknown what has been written, and scopeRefused closes the connection.
func (s *statement) scopeRefused(err error) error {
	var pgErr *pgconn.PgError
	switch {
	case !errors.As(err, &pgErr):
		s.destroy()
		if err == nil {
			err = errors.New("schemactx: the scope returned no row")
		}
		return err
	case s.tx == nil:
		return s.refused(err)
	case pgErr.Code == sqlstate.DivisionByZero:
		return fmt.Errorf("%w: found before the statement ran", ErrScopeChanged)
	}
	return err
}

// sendWithPrologue sends the prologue, the statement, and its epilogue in one round trip.
func (s *statement) sendWithPrologue(ctx context.Context, sd *pgconn.StatementDescription) error {
	b := &pgconn.Batch{}
	named, eqb := s.input.prepared(), &s.state.eqb
	block := s.needsBlock(s.input.kind)
	prologue := s.prologue(s.tx, block)
	for _, o := range prologue {
		o.queue(s.state, b, named)
	}
	if sd != nil {
		b.ExecStatement(sd, eqb.ParamValues, eqb.ParamFormats, s.input.results)
	} else {
		b.ExecParams(s.text(s.input.sql), eqb.ParamValues, nil, eqb.ParamFormats, s.input.results)
	}
	if s.tx == nil {
		s.queueEpilogue(b, s.input.kind, block, named)
	}
	s.mrr = s.conn.PgConn().ExecBatch(ctx, b)
	if err := prologue.read(s.unitOfWork, s.tx, nextResult(s.mrr)); err != nil {
		return err
	}
	if !s.mrr.NextResult() {
		return s.mrr.Close()
	}
	s.rr = s.mrr.ResultReader()
	return nil
}

// needsBlock reports whether statements of this kind need a BEGIN and a COMMIT of their own. A DO
// block or a procedure needs them because the code could otherwise commit and so leave the scope. A
// statement after which the session is reset needs them because the reset must follow the COMMIT.
// Settings may need them; see settingsNeedBlock.
func (u *unitOfWork) needsBlock(kind sqlKind) bool {
	return kind == kindBlock || u.needsReset(kind) || u.settingsNeedBlock()
}

// queueEpilogue appends what follows the statements of a unit: COMMIT, and after it the reset.
// Deferred constraint triggers and the queries of cursors WITH HOLD run at COMMIT. They need the
// role and the path, which end with the transaction. They may set others for the session, which
// only a reset after COMMIT undoes. The statements may also have deallocated prepared statements.
// So COMMIT and the reset are unprepared after all kinds except reads and writes.
func (u *unitOfWork) queueEpilogue(b *pgconn.Batch, kind sqlKind, block, named bool) {
	named = named && !kind.mayChangeScope()
	if block {
		internalStmt{step: stepCommit, sql: commitSQL}.queue(u.state, b, named)
	}
	if u.needsReset(kind) {
		for _, sql := range u.resets() {
			internalStmt{step: stepReset, sql: sql}.queue(u.state, b, named)
		}
	}
}

// resets returns the statements that close held cursors and reset what a statement may have set for
// the session.
func (u *unitOfWork) resets() []string { return append([]string{closeSQL}, u.scope.resets...) }
