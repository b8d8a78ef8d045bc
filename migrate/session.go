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
	take := call{sql: "select pg_advisory_lock(" + advisoryKey + ")", args: []string{s.t.schema}}
	err := s.exec(ctx, call{sql: "begin"}, s.t.settings("true"), take, call{sql: "commit"})
	if err != nil {
		s.rollback(ctx)
		return fmt.Errorf("lock schema %q: %w", s.t.schema, err)
	}
	s.locked = true
	return nil
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

// transact runs, in one transaction, the steps that decide returns for the state under the lock.
func (s *session) transact(ctx context.Context, decide func(state) ([]step, error)) ([]step, error) {
	steps, err := s.tryTransact(ctx, decide)
	if err != nil {
		s.rollback(ctx)
		return nil, err
	}
	return steps, nil
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
	case stateIs(err, uniqueViolation, duplicateTable): // another made the table at the same time, without this lock
		return state{}, nil, &raceError{s.t.wrap(err)}
	case err != nil:
		return state{}, nil, s.t.tableError(err)
	}
	var st state
	for _, row := range results[len(results)-2].Rows {
		if err := st.read(row); err != nil {
			return state{}, nil, s.t.tableError(err)
		}
	}
	var grantees []string
	for _, row := range results[len(results)-1].Rows {
		grantees = append(grantees, string(row[0]))
	}
	return st, grantees, nil
}

// send makes the calls: all statements between two functions in one pipeline, one by one, so that
// the server says which one failed.
func (s *session) send(ctx context.Context, calls []call) error {
	for len(calls) > 0 {
		n := 0
		for n < len(calls) && !calls[n].isGo() {
			n++
		}
		if err := s.pipeline(ctx, calls[:n]); err != nil {
			return err
		}
		if n < len(calls) {
			if err := s.callInTx(ctx, *calls[n].step); err != nil {
				return err
			}
			n++
		}
		calls = calls[n:]
	}
	return nil
}

func (s *session) pipeline(ctx context.Context, calls []call) error {
	if len(calls) == 0 {
		return nil
	}
	p := s.pg().StartPipeline(ctx)
	for _, c := range calls {
		p.SendQueryParams(c.sql, bytesOf(c.args), nil, nil, nil)
	}
	err := p.Sync()
	for i := 0; err == nil && i < len(calls); i++ {
		var res any
		res, err = p.GetResults()
		if rr, ok := res.(*pgconn.ResultReader); ok {
			_, err = rr.Close()
		}
		if err != nil {
			err = s.t.failure(calls[i], err)
		}
	}
	return errors.Join(err, closePipeline(p, err))
}

// closePipeline returns the error of the close where there was none before: else it is the same.
func closePipeline(p *pgconn.Pipeline, before error) error {
	err := p.Close()
	if before != nil {
		return nil
	}
	return err
}

// failure is the error of a call.
func (t target) failure(c call, err error) error {
	if c.step == nil {
		return t.wrap(err)
	}
	m := c.step.m
	failure := &Error{Schema: t.schema, Source: m.source, File: m.file, Version: m.version, Direction: c.step.dir, Err: err}
	if !c.isGo() {
		failure.Statement, failure.Line = c.i+1, c.step.statements()[c.i].line
	}
	return failure
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

func bytesOf(args []string) [][]byte {
	values := make([][]byte, len(args))
	for i, arg := range args {
		values[i] = []byte(arg)
	}
	return values
}
