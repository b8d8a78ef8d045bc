package migrate

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/sqlstate"

	"github.com/oryne/pgtenant/schemactx"
)

// savepoint is the name of the savepoint that a Go migration runs in.
const savepoint = "pgtenant_migration"

// callInTx calls a function in the open transaction. It deallocates the prepared statements first:
// pgx keeps them by their text, and those of an earlier function are gone from the server.
func (s *session) callInTx(ctx context.Context, st step) error {
	s.dirty = true
	fail := func(err error) error { return s.t.failure(call{step: &st}, err) }
	if err := s.conn().DeallocateAll(ctx); err != nil {
		return fail(err)
	}
	tx, err := s.conn().
		BeginTx(ctx, pgx.TxOptions{BeginQuery: "savepoint " + savepoint, CommitQuery: "release savepoint " + savepoint})
	if err != nil {
		return fail(err)
	}
	fn := st.m.goUp
	if st.dir == Down {
		fn = st.m.goDown
	}
	if err := guarded(func() error { return fn(s.t.context(ctx), tx) }); err != nil {
		return fail(err)
	}
	inTx := s.pg().TxStatus() == 'T' || s.pg().TxStatus() == 'E'
	err = tx.Commit(ctx)
	switch {
	case !inTx, errors.Is(err, pgx.ErrTxClosed), sqlstate.Is(err, sqlstate.InvalidSavepoint):
		return fail(errors.Join(ErrTransactionEnded, err))
	case err != nil:
		return fail(err)
	}
	return nil
}

// callAlone calls a function with the connection.
func (s *session) callAlone(ctx context.Context, st step) error {
	fn := st.m.goUpNoTx
	if st.dir == Down {
		fn = st.m.goDownNoTx
	}
	err := guarded(func() error { return fn(s.t.context(ctx), s.conn()) })
	if err == nil && !s.conn().IsClosed() && s.pg().TxStatus() != 'I' {
		err = errors.New("left a transaction open")
	}
	if err != nil {
		return s.t.failure(call{step: &st}, err)
	}
	return nil
}

// guarded calls a function of the program on a new goroutine. The function may panic or end its
// goroutine, and neither may end the migration of other schemas.
func guarded(fn func() error) (err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		err = errGoexit // unless fn returns
		err = fn()
	}()
	<-ended
	return err
}

// context returns the context for a function, with the schema.
func (t target) context(ctx context.Context) context.Context {
	if t.kind == SharedSet {
		return schemactx.NewPublicContext(ctx)
	}
	return schemactx.NewContext(ctx, t.schema)
}

// runWithoutTransaction runs the first step of a selector, which has no transaction, and records
// it.
func (s *session) runWithoutTransaction(ctx context.Context, g stepSelector) ([]step, error) {
	s.dirty = true
	results, err := s.read(ctx, append([]call{s.t.sessionCall()}, s.t.session()...))
	if err != nil {
		return nil, fmt.Errorf("lock schema %q: %w", s.t.schema, err)
	}
	if !s.start.read {
		s.start = readStart(results[0].Rows)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	st, err := readState(ctx, s.conn(), s.t)
	if err != nil {
		return nil, err
	}
	seen := st.clone()
	s.seen = &seen
	steps, err := s.t.next(g, st)
	if err != nil || len(steps) == 0 || !steps[0].noTx() {
		return nil, err // another runner was faster
	}
	before, err := s.invalidIndexes(ctx)
	if err != nil {
		return nil, s.t.wrap(err)
	}
	if st.absent && s.notesHalf(steps[0]) { // its progress is noted in the version table's comment
		if _, err := s.transact(ctx, func(state) ([]step, bool, error) { return nil, false, nil }); err != nil {
			return nil, err
		}
		if st, err = readState(ctx, s.conn(), s.t); err != nil {
			return nil, err
		}
	}
	s.sent = true
	if err := st.halfError(steps[0], s.runAlone(ctx, st, steps[0], before)); err != nil {
		if missing := checkSchema(ctx, s.conn(), s.t); errors.Is(missing, ErrSchemaMissing) {
			return nil, fmt.Errorf("%w: %w", missing, err)
		}
		return nil, err
	}
	if err := s.exec(ctx, clean(s.start)...); err != nil {
		return nil, s.t.wrap(err)
	}
	steps[0].ran = true
	return s.transact(ctx, func(state) ([]step, bool, error) { return steps[:1], len(steps) == 1, nil })
}

func (s *session) runAlone(ctx context.Context, seen state, st step, before []invalidIndex) error {
	if st.isGo() {
		if err := s.callAlone(ctx, st); err != nil {
			return err
		}
		return s.checkIndexes(ctx, st, before)
	}
	for i := range st.statements() {
		if err := s.noteHalf(ctx, seen, st, i); err != nil {
			return s.t.failure(call{sql: st.statements()[i].sql, step: &st, i: i}, err)
		}
		if err := s.runStatement(ctx, st, i); err != nil {
			return err
		}
	}
	return s.checkIndexes(ctx, st, before)
}
