package migrate

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// send makes the calls in their order. It sends the statements between two Go functions in one
// pipeline, each as a message of its own, so that an error belongs to one statement. It returns how
// many steps were committed, also with an error.
func (s *session) send(ctx context.Context, calls []call) (committed int, err error) {
	for len(calls) > 0 {
		n := 0
		for n < len(calls) && !calls[n].isGo() {
			n++
		}
		done, err := s.pipeline(ctx, calls[:n])
		if committed += done; err != nil {
			return committed, err
		}
		if n < len(calls) {
			if err := s.callInTx(ctx, *calls[n].step); err != nil {
				return committed, err
			}
			n++
		}
		calls = calls[n:]
	}
	return committed, nil
}

// pipeline sends statements in one pipeline and reads their results up to the first error.
func (s *session) pipeline(ctx context.Context, calls []call) (committed int, err error) {
	if len(calls) == 0 {
		return 0, nil
	}
	p := s.pg().StartPipeline(ctx)
	for _, c := range calls {
		p.SendQueryParams(c.sql, bytesOf(c.args), nil, nil, nil)
		s.start.triggers = s.start.triggers || c.step != nil && c.step.eventTrigger()
		s.dirty = s.dirty || !c.keepsSession(s.start)
	}
	err = p.Sync()
	for i := 0; err == nil && i < len(calls); i++ {
		if err = result(p); err != nil {
			err = s.t.failure(calls[i], err)
		} else {
			committed += calls[i].commits
		}
	}
	return committed, errors.Join(err, closePipeline(p, err))
}

// result reads the next result of a pipeline and returns its error.
func result(p *pgconn.Pipeline) error {
	res, err := p.GetResults()
	if rr, ok := res.(*pgconn.ResultReader); ok {
		_, err = rr.Close()
	}
	return err
}

// closePipeline closes a pipeline. It returns the error of Close only if there was no error before,
// because otherwise Close repeats that error.
func closePipeline(p *pgconn.Pipeline, before error) error {
	err := p.Close()
	if before != nil {
		return nil
	}
	return err
}

// failure returns the error of a call. For a call of a migration it is an [Error] with the place in
// the migration.
func (t target) failure(c call, err error) error {
	switch {
	case c.guard && sqlstate.Is(err, sqlstate.DivisionByZero):
		return t.locked()
	case c.step == nil:
		return t.wrap(err)
	}
	m := c.step.m
	failure := &Error{
		Schema:    t.schema,
		Source:    m.source,
		File:      m.file,
		Version:   m.version,
		Direction: c.step.dir,
		Err:       err,
	}
	if !c.isGo() {
		s := c.step.statements()[c.i]
		failure.Statement, failure.Line = s.number, s.line
	}
	return failure
}

func bytesOf(args []string) [][]byte {
	values := make([][]byte, len(args))
	for i, arg := range args {
		values[i] = []byte(arg)
	}
	return values
}
