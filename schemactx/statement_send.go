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

// sendAlone sends the statement with its scope in front, or, in a transaction, with an assertion of
// the scope where one is due.
//
// The messages of the scope wait in the connection's buffer until pgconn adds those of the
// statement and writes all of them at once: Bind, Execute, Bind, Execute, Sync. Up to Sync this is
// one implicit transaction, so that what the scope has set ends with the statement. The scope's
// portal returns one row and is executed for one row, so that the server answers it with DataRow
// and PortalSuspended and not with CommandComplete; to pgconn its row is the first row of the
// statement, and taking it off tells whether the scope was let in. Beyond these messages nothing is
// sent, read or allocated, and cancellation, notices and the transaction status stay pgconn's
// business.
func (s *statement) sendAlone(ctx context.Context, sd *pgconn.StatementDescription) error {
	if err := ctx.Err(); err != nil {
		return err // pgconn would not write, and what waits in the buffer would go out with somebody else's statement
	}
	fronted := s.queueFront()
	pc, eqb := s.conn.PgConn(), &s.state.eqb
	if sd != nil {
		s.rr = pc.ExecStatement(ctx, sd, eqb.ParamValues, eqb.ParamFormats, s.input.results)
	} else {
		s.rr = pc.ExecParams(ctx, s.text(s.input.sql), eqb.ParamValues, nil, eqb.ParamFormats, s.input.results)
	}
	if !fronted {
		return nil
	}
	if s.rr.NextRow() {
		s.db.accepted(s.scope)
		s.state.scopeVerified = s.tx == nil && s.scope.login
		return nil
	}
	_, err := s.rr.Close()
	return s.frontRefused(err)
}

// queueFront puts the scope or its assertion into the connection's buffer. It reports false when
// there is nothing to put in front.
func (s *statement) queueFront() bool {
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

// frontRefused explains why what went in front did not succeed. Without a reason from the server it
// is unknown what has been written, and the connection is not used again.
func (s *statement) frontRefused(err error) error {
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

// sendBehind sends the statement with all that it needs around it: in front BEGIN, a scrub, the
// scope, savepoints, and behind it COMMIT and a reset of the role. It is one round trip as well.
func (s *statement) sendBehind(ctx context.Context, sd *pgconn.StatementDescription) error {
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
		s.queueBack(b, s.input.kind, block, named)
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

// needsBlock reports whether statements of this kind need BEGIN and COMMIT of their own: a block of
// code that may commit cannot do so in one, and a reset has to come after the commit.
func (u *unitOfWork) needsBlock(kind sqlKind) bool {
	return kind == kindBlock || u.needsReset(kind) || u.settingsNeedBlock()
}

// queueBack appends what comes behind the statements of a unit: COMMIT, and after it the reset.
// Deferred constraint triggers and the queries of cursors WITH HOLD run at COMMIT. They need the
// role and the path, which end with the transaction by themselves, and may set others for the
// session, which only a reset after COMMIT takes back. What is in front of it may have deallocated
// what was prepared, so that it goes unnamed behind all but reads and writes.
func (u *unitOfWork) queueBack(b *pgconn.Batch, kind sqlKind, block, named bool) {
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

// resets are the statements that take back what a statement may have set for the session.
func (u *unitOfWork) resets() []string { return append([]string{closeSQL}, u.scope.resets...) }
