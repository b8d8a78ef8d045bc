package migrate

import (
	"context"
	"errors"
	"fmt"
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
	pooled *pgxpool.Conn
	spent  bool // a migration had the connection to itself: it must not be used again
	sent   bool // a migration without a transaction has begun: nothing can be tried again
	locked bool // holds the session's lock
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

// close gives the connection back, or closes it with all that is left on it. A pool closes a
// connection that is still in a transaction.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if s.locked && !s.spent && !s.pg().IsClosed() {
		unlock := call{sql: "select pg_advisory_unlock(" + advisoryKey + ")", args: []string{s.t.schema}}
		s.spent = s.exec(ctx, unlock) != nil
	}
	if !s.spent {
		s.pooled.Release()
		return
	}
	_ = s.pooled.Hijack().Close(ctx) // gone in any case
}

// lock takes the schema's lock for the session.
func (s *session) lock(ctx context.Context) error {
	if err := s.await(ctx, s.t.tryLock(), s.deadline()); err != nil {
		return err
	}
	s.locked = true
	return nil
}

// deadline is until when a lock may be waited for.
func (s *session) deadline() time.Time { return time.Now().Add(s.t.cfg.LockTimeout) }

// await asks for the schema's lock until it is free. It does not wait in the server: a statement that waits holds a
// snapshot, for whose end CREATE INDEX CONCURRENTLY waits in its turn, and one of both would be told of a deadlock.
func (s *session) await(ctx context.Context, try call, deadline time.Time) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		results, err := s.read(ctx, []call{try})
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
		case <-time.After(pause):
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

// transact runs, in one transaction, the steps that decide returns for the state under the lock. Where another has the lock
// the transaction ends before it is waited for.
func (s *session) transact(ctx context.Context, decide func(state) ([]step, error)) ([]step, error) {
	for deadline := s.deadline(); ; {
		steps, err := s.tryTransact(ctx, decide)
		if err == nil {
			return steps, nil
		}
		s.rollback(ctx)
		if !errors.Is(err, ErrLocked) {
			return nil, err
		}
		if err := s.await(ctx, s.t.probe(), deadline); err != nil {
			return nil, err
		}
	}
}

func (s *session) tryTransact(ctx context.Context, decide func(state) ([]step, error)) ([]step, error) {
	st, grantees, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	steps, err := decide(st)
	if err != nil {
		return nil, err
	}
	return steps, s.send(ctx, s.t.finish(st, grantees, steps))
}

// open begins a transaction under the schema's lock, in one round trip, and reads the state.
func (s *session) open(ctx context.Context) (state, []string, error) {
	results, err := s.read(ctx, s.t.open())
	switch {
	case stateIs(err, invalidSchemaName):
		return state{}, nil, s.t.wrap(fmt.Errorf("%w: %w", ErrSchemaMissing, err))
	case stateIs(err, invalidText):
		return state{}, nil, s.t.locked()
	case stateIs(err, uniqueViolation, duplicateTable): // another made the table at the same time, without this lock
		return state{}, nil, &raceError{s.t.wrap(err)}
	case err != nil:
		return state{}, nil, s.t.tableError(err)
	}
	var st state
	if err := st.readRows(results[len(results)-2].Rows); err != nil {
		return state{}, nil, s.t.tableError(err)
	}
	var grantees []string
	for _, row := range results[len(results)-1].Rows {
		grantees = append(grantees, string(row[0]))
	}
	return st, grantees, nil
}

// rollback ends a transaction whatever has become of ctx. A connection that cannot do it is closed
// by its pool.
func (s *session) rollback(ctx context.Context) {
	if s.pg().IsClosed() || s.pg().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, _ = s.pg().Exec(ctx, "rollback").ReadAll() // the error that led here says more
}
