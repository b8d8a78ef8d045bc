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

	"github.com/oryne/pgtenant/internal/schemalock"
	"github.com/oryne/pgtenant/internal/sqlstate"
)

// rollbackTimeout bounds the clean-up after the caller's context has ended.
const rollbackTimeout = 5 * time.Second

// session is a connection that migrates one schema.
type session struct {
	t      target
	pooled *pgxpool.Conn // nil: closed
	start  sessionStart  // the settings before a migration ran
	dirty  bool          // a migration may have left session state: close the connection instead of reusing it
	seen   *state        // the state that an attempt has read under the lock; nil: none
	sent   bool          // a migration without a transaction has begun: no retry
	locked bool          // the session holds the schema's lock
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

// close releases the lock and returns the connection to the pool. If a migration may have changed
// the session, it closes the connection: the text of a statement does not say what the statement
// sets, and a reset would lose what the pool's hooks have set. The pool itself closes a connection
// that is still in a transaction.
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
		_ = s.conn().Close(ctx)
	}
	s.pooled.Release()
	s.pooled, s.locked = nil, false
}

// lock takes the schema's lock, unless the session holds it already.
func (s *session) lock(ctx context.Context) error {
	if s.locked {
		return nil
	}
	err := s.await(ctx, time.Now().Add(s.t.cfg.LockTimeout))
	s.locked = err == nil
	return err
}

// await polls for the schema's lock until the session has it or the deadline has passed. It does
// not wait in the server, because a waiting statement holds a snapshot. CREATE INDEX CONCURRENTLY
// of the lock's holder would wait for that snapshot, and the server would report a deadlock.
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
		case <-time.After(pause/2 + rand.N(pause/2)): // random, so that waiting runners do not poll at the same time
		}
	}
}

// exec sends internal statements in one round trip.
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

// decision chooses the steps to run in transactions, for the state that was read under the lock. If
// last is true, no other steps follow them.
type decision func(state) (steps []step, last bool, err error)

// transact runs the steps of a decision and returns those that were committed, also with an error.
// If another runner holds the lock, it rolls back before it waits for the lock, and then tries once
// more.
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
	case n > 0 && n == len(steps): // all are committed, the error came after; the connection is closed
		err = nil
	}
	return steps[:n], err
}

// open begins a transaction, takes the schema's lock and reads the state, in one round trip.
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
	if sqlstate.Is(err, sqlstate.InvalidText) && !s.locked && s.t.cfg.Lock != LockTable {
		return s.t.locked()
	}
	s.dirty = true // the session may hold the lock
	switch {
	case sqlstate.Is(err, sqlstate.InvalidSchemaName):
		return s.t.wrap(fmt.Errorf("%w: %w", ErrSchemaMissing, err))
	case sqlstate.Is(err, sqlstate.UniqueViolation, sqlstate.DuplicateTable):
		// a concurrent session without this lock made the table
		return &raceError{s.t.wrap(err)}
	}
	return s.t.tableError(err)
}

// rollback ends the transaction and resets what was set, even if ctx has ended. If it fails, the
// pool closes the connection.
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
	_, _ = s.pg().Exec(ctx, sql).ReadAll() // the caller returns the error that made this necessary
}

// lockOrFail takes the schema's lock for the session, or fails with sqlstate.InvalidText if another
// runner has it. Nothing that follows in the same message is done then, and no session waits with a
// snapshot, see await.
var lockOrFail = "(case when " + schemalock.Migrate.Try("$1") + " then '1' else 'another runner has the lock' end)::int"

// tryLock returns the call that takes the schema's lock for the session, if it is free.
func (t target) tryLock() call {
	return call{sql: "select " + schemalock.Migrate.Try("$1"), args: []string{t.schema}}
}

// unlock returns the call that releases the schema's lock.
func (t target) unlock() call {
	return call{sql: "select " + schemalock.Migrate.Release("$1"), args: []string{t.schema}}
}

// probe returns the call that takes the schema's lock for the transaction, if it is free.
func (t target) probe() call {
	return call{sql: "select " + schemalock.Migrate.TryXact("$1"), args: []string{t.schema}}
}
