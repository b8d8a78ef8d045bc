package migrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// rollbackTimeout bounds what has to be done when the caller's context is over.
const rollbackTimeout = 5 * time.Second

// session is a connection at work on one schema.
type session struct {
	t      target
	pooled *pgxpool.Conn // nil: closed
	start  sessionStart  // what it was before anything ran
	dirty  bool          // a migration ran on it that may have left something: it is closed
	seen   *state        // what an attempt has found under the lock; nil: nothing
	sent   bool          // a migration without a transaction has begun: nothing can be tried again
	locked bool          // holds the schema's lock
}

func (r *Runner) session(ctx context.Context, t target) (*session, error) {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &session{t: t, pooled: conn}, nil
}

func (s *session) conn() *pgx.Conn    { return s.pooled.Conn() }
func (s *session) pg() *pgconn.PgConn { return s.conn().PgConn() }

// close returns the connection to the pool, without the lock. It closes a connection on which a
// migration ran that may have changed the session: the text of a statement does not say what it
// sets, and a reset would lose what the pool's hooks have set. A pool closes a connection that is
// still in a transaction.
func (s *session) close(ctx context.Context) {
	if s.pooled == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if s.locked && !s.pg().IsClosed() {
		s.dirty = s.exec(ctx, s.t.unlock()) != nil || s.dirty
	}
	if s.dirty {
		_ = s.conn().Close(ctx) // gone in any case
	}
	s.pooled.Release()
	s.pooled, s.locked = nil, false
}

// lock takes the schema's lock unless the session has it.
func (s *session) lock(ctx context.Context) error {
	if s.locked {
		return nil
	}
	err := s.await(ctx, time.Now().Add(s.t.cfg.LockTimeout))
	s.locked = err == nil
	return err
}

// await asks for the schema's lock until the session has it. It does not wait in the server: a
// statement that waits holds a snapshot, for whose end CREATE INDEX CONCURRENTLY waits in its turn,
// and one of both would be told of a deadlock.
func (s *session) await(ctx context.Context, deadline time.Time) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		results, err := s.read(ctx, []call{s.t.tryLock()})
		if err != nil {
			return fmt.Errorf("lock schema %q: %w", s.t.schema, err)
		}
		if string(results[0].Rows[0][0]) == "t" {
			return nil
		}
		if time.Now().After(deadline) {
			return s.t.locked()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock schema %q: %w", s.t.schema, context.Cause(ctx))
		case <-time.After(pause/2 + rand.N(pause/2)): // apart from others that wait for the same lock
		}
	}
}

// exec sends calls of ours in one round trip.
func (s *session) exec(ctx context.Context, calls ...call) error {
	_, err := s.read(ctx, calls)
	return err
}

func (s *session) read(ctx context.Context, calls []call) ([]*pgconn.Result, error) {
	batch := &pgconn.Batch{}
	for _, c := range calls {
		batch.ExecParams(c.sql, bytesOf(c.args), nil, nil, nil)
	}
	return s.pg().ExecBatch(ctx, batch).ReadAll()
}

// decision chooses, for the state under the lock, the steps to run in transactions. last is whether
// nothing follows them.
type decision func(state) (steps []step, last bool, err error)

// transact runs the steps of a decision and returns those that are committed, also with an error.
// Where another has the lock the transaction ends before it is waited for.
func (s *session) transact(ctx context.Context, decide decision) ([]step, error) {
	steps, err := s.tryTransact(ctx, decide)
	if err == nil {
		return steps, nil
	}
	s.rollback(ctx)
	if len(steps) > 0 || !errors.Is(err, ErrLocked) || s.locked || s.t.cfg.Lock == LockTable {
		return steps, err
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	if steps, err = s.tryTransact(ctx, decide); err != nil {
		s.rollback(ctx)
	}
	return steps, err
}

func (s *session) tryTransact(ctx context.Context, decide decision) ([]step, error) {
	st, grantees, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	steps, last, err := decide(st)
	if err != nil {
		return nil, err
	}
	n, err := s.send(ctx, s.t.finish(st, grantees, steps, last))
	switch {
	case err == nil:
		s.locked = s.locked && !last
	case n > 0 && n == len(steps): // all of them are done, and the connection is closed
		err = nil
	}
	return steps[:n], err
}

// open begins a transaction under the schema's lock, in one round trip, and reads the state.
func (s *session) open(ctx context.Context) (state, []string, error) {
	calls := s.t.open(s.locked)
	if !s.start.read {
		calls = slices.Insert(calls, 1, s.t.sessionCall())
	}
	results, err := s.read(ctx, calls)
	if err != nil {
		return state{}, nil, s.openError(err)
	}
	s.locked = s.t.cfg.Lock != LockTable
	if !s.start.read {
		s.start = readStart(results[1].Rows)
	}
	st := state{start: s.start}
	if err := st.readRows(results[len(results)-2].Rows); err != nil {
		return state{}, nil, s.t.tableError(err)
	}
	var grantees []string
	for _, row := range results[len(results)-1].Rows {
		grantees = append(grantees, string(row[0]))
	}
	return st, grantees, nil
}

func (s *session) openError(err error) error {
	if stateIs(err, invalidText) && !s.locked && s.t.cfg.Lock != LockTable {
		return s.t.locked()
	}
	s.dirty = true // it may have the lock
	switch {
	case stateIs(err, invalidSchemaName):
		return s.t.wrap(fmt.Errorf("%w: %w", ErrSchemaMissing, err))
	case stateIs(err, uniqueViolation, duplicateTable): // another made the table at the same time, without this lock
		return &raceError{s.t.wrap(err)}
	}
	return s.t.tableError(err)
}

// rollback ends a transaction whatever has become of ctx, and takes back what was set. A connection
// that cannot do it is closed by its pool.
func (s *session) rollback(ctx context.Context) {
	if s.pg().IsClosed() {
		return
	}
	var sql string
	if s.pg().TxStatus() != 'I' {
		sql = "rollback;"
	}
	if s.dirty && s.start.read {
		sql += script(clean(s.start))
	}
	if sql == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, _ = s.pg().Exec(ctx, sql).ReadAll() // the error that led here says more
}
