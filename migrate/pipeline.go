package migrate

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

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
