package schemactx

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// statement is one statement, from its call to the end of its rows, which the caller reads from it.
// It is its own unit of work or part of a transaction's.
type statement struct {
	rows
	*unitOfWork
	input   input
	alone   unitOfWork // the target of unitOfWork outside of a transaction
	tx      *txState
	typed   bool            // it has types of the schema
	retried bool            // these types and its description have been loaded again
	ctx     context.Context // the context that the tracer returned
	traced  bool

	savepointed bool // it was run as a savepoint of the transaction
}

// run sends the statement and reads up to its first row.
func (s *statement) run(ctx context.Context, sql string, args []any) error {
	s.ctx = ctx
	if t := s.db.tracers.query; t != nil {
		s.ctx = t.TraceQueryStart(ctx, s.conn, pgx.TraceQueryStartData{SQL: sql, Args: args})
		s.traced = true
	}
	err := s.input.parse(s.ctx, s.db.mode, sql, args)
	if err == nil {
		begin := s.tx.beginning()
		attempt := func() error { return s.attempt(s.ctx) }
		err = s.retryPrologue(s.ctx, s.tx, attempt)
		if s.input.prepared() && stale(err, s.input.hit || s.typed) && s.restart(s.ctx, s.tx, begin) {
			err = attempt() // attempt prepares it again, because the error dropped it from the cache
		}
	}
	if s.tx != nil && s.input.kind == kindRefused {
		if c, ok := parseSavepoint(s.input.sql); ok {
			return s.savepoint(c)
		}
	}
	if err != nil {
		s.closed = true
		return s.finish(pgconn.CommandTag{}, err)
	}
	return nil
}

// attempt prepares the statement if necessary, sends it, and waits for its first row, its end or
// its error.
func (s *statement) attempt(ctx context.Context) error {
	sd, err := s.lookUp(ctx)
	if err != nil {
		return err
	}
	if sd, err = s.encode(ctx, sd); err != nil {
		return err
	}
	if s.needsPrologue() {
		err = s.sendWithPrologue(ctx, sd)
	} else {
		err = s.sendAlone(ctx, sd)
	}
	if err == nil {
		s.typeMap = s.mapFor(s.loaded)
		s.owner = s
		err = s.readAhead()
	}
	if err == nil && sd == nil {
		s.noteFields(s.loaded, s.rr.FieldDescriptions())
	}
	if err != nil {
		s.forget(err)
		return s.drain(err)
	}
	return nil
}

// encode encodes the arguments, with the types of the schema if the statement has any. If that
// fails, an altered table or type may be the cause, and encode loads both again, once. It returns
// the description that the arguments are encoded for.
func (s *statement) encode(ctx context.Context, sd *pgconn.StatementDescription) (*pgconn.StatementDescription, error) {
	var err error
	if s.loaded, err = s.typesFor(ctx, s.tx, sd); err != nil {
		return nil, err
	}
	err = s.input.encode(s.mapFor(s.loaded), &s.state.eqb, sd)
	if err != nil && sd == nil {
		return nil, s.encodeDescribed(ctx, s.tx, &s.input, err)
	}
	s.typed = s.usesTypes(sd)
	if err == nil || !s.typed || s.retried {
		return sd, err
	}
	s.retried = true
	s.loaded.markStale()
	s.state.cache.drop(stmtKey{s.scope.schema, s.input.sql})
	if sd, err = s.lookUp(ctx); err != nil {
		return nil, err
	}
	return s.encode(ctx, sd)
}

// lookUp finds the statement among the prepared ones or prepares it. It returns nil for a statement
// that runs unprepared.
func (s *statement) lookUp(ctx context.Context) (*pgconn.StatementDescription, error) {
	if s.input.prepared() {
		if st := s.prepared(s.input.sql); st != nil {
			s.db.stats.hits.Add(1)
			s.input.textKind, s.input.named, s.input.hit = st.kind, st.named, true
			s.needFacts(s.tx, s.input.named)
			s.input.kind = s.effectiveKind(s.input.textKind, s.input.named)
			return st.sd, nil
		}
	}
	s.input.hit = false
	s.input.textKind, s.input.named = s.kindOf(s.input.sql)
	s.input.kind = s.input.textKind
	if err := s.input.kind.refusal(s.input.sql); err != nil {
		return nil, err
	}
	s.needFacts(s.tx, s.input.named)
	var sd *pgconn.StatementDescription
	if s.input.prepared() {
		s.db.stats.misses.Add(1)
		var err error
		if sd, err = s.prepareOne(ctx, s.tx, s.input.sql); err != nil {
			return nil, err
		}
	}
	s.input.kind = s.effectiveKind(s.input.textKind, s.input.named) // after facts that preparing may have loaded
	return sd, nil
}

// needsPrologue reports whether more than the scope must be sent before the statement.
func (s *statement) needsPrologue() bool {
	if s.tx != nil {
		return !s.tx.begun || len(s.tx.savepoints) > 0
	}
	return s.settings != nil || s.state.dirty(s.scope.schema) || s.state.preparedStale || s.catalogRead.due() ||
		s.needsBlock(s.input.kind)
}

// forget drops the prepared statement if err says that it no longer fits.
func (s *statement) forget(err error) {
	if err != nil && s.input.prepared() {
		s.state.forget(stmtKey{s.scope.schema, s.input.sql}, err)
	}
}

// drain reads to the end of what was sent, so that the connection can be used again.
func (s *statement) drain(err error) error {
	if s.mrr != nil {
		// The commit may fail although the statement has not.
		if closeErr := s.mrr.Close(); err == nil {
			err = closeErr
		}
		s.mrr = nil
	}
	if s.tx == nil && s.status() == 'E' {
		_ = s.rollback(s.ctx)
	}
	return err
}

// rowsClosed implements rowsOwner.
func (s *statement) rowsClosed(tag pgconn.CommandTag, err error) error {
	s.forget(err)
	return s.finish(tag, s.drain(err))
}

// rowsAbandoned implements rowsOwner.
func (s *statement) rowsAbandoned() { s.abandon() }

// finish examines what the statement did to the connection, tells the tracer, and returns the
// connection to the pool. err is the statement's own error. finish returns that error or the one
// that it found.
func (s *statement) finish(tag pgconn.CommandTag, err error) error {
	s.adjustPosition(err, len(s.scope.comment))
	s.input.kind = s.effectiveKind(s.input.textKind, s.input.named) // again: it may have loaded facts
	s.noteKind(s.input.kind)
	s.noteDDL(tag)
	if s.tx == nil {
		s.noteEnd()
	}
	if changesSession(tag) && !s.savepointed || s.pathChanged() {
		err = fmt.Errorf("%w: %s", ErrScopeChanged, tag)
		s.destroy()
	}
	if err != nil {
		s.db.statementFailure(s.ctx, s.scope.schema, s.input.sql, err)
	}
	s.db.statementEnd(s.ctx, s.scope.schema, 1, err)
	if s.tx != nil {
		err = s.tx.after(s.input.kind, err)
	}
	if s.traced {
		s.db.tracers.query.TraceQueryEnd(s.ctx, s.conn, pgx.TraceQueryEndData{CommandTag: tag, Err: err})
	}
	if s.tx == nil {
		s.release()
	}
	return err
}

// refusal returns the error for a statement that must not run at all, else nil.
func (k sqlKind) refusal(sql string) error {
	l := lexer{rest: sql}
	switch k {
	case kindRefused:
		return fmt.Errorf("%w: %s", ErrScopeChanged, l.firstWord())
	case kindCopy:
		return ErrCopy
	default:
		return nil
	}
}

// changesSession reports whether a command may have changed the session beyond its transaction, or
// the transaction itself. kindOf refuses such commands by their text. This second check uses the
// command tag from the server.
func changesSession(tag pgconn.CommandTag) bool {
	switch tag.String() {
	case "SET", "RESET", "DISCARD", "DISCARD ALL", "DISCARD PLANS", "DISCARD SEQUENCES", "DISCARD TEMP",
		"LISTEN", "UNLISTEN", "LOAD", "PREPARE", "DEALLOCATE", "DEALLOCATE ALL",
		"BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE",
		"PREPARE TRANSACTION", "COMMIT PREPARED", "ROLLBACK PREPARED":
		return true
	}
	return false
}
