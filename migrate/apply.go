package migrate

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// run runs the steps of a selector in one schema. It reads the schema's state first.
func (r *Runner) run(ctx context.Context, res *Result, g stepSelector) error {
	t, err := r.target(res.Schema)
	if err != nil {
		return err
	}
	if t.kind == TenantSet { // not for the shared set, whose migrations may create those schemas
		if err := r.checkPath(ctx); err != nil {
			return err
		}
	}
	st := noTable()
	if !t.cfg.newSchema {
		if st, err = readVersions(ctx, r.pool, t); err != nil {
			return err
		}
	}
	return r.runFrom(ctx, t, st, res, g)
}

// runFrom is run for a schema whose state was read before. The state may have changed since, so the
// steps are chosen again under the lock.
func (r *Runner) runFrom(ctx context.Context, t target, st state, res *Result, g stepSelector) error {
	res.From = st.newest()
	res.To = res.From
	steps, err := t.next(g, st)
	if err != nil {
		return err
	}
	res.newer = len(steps) == 0 && len(t.checkApplied(st).unknown) > 0
	switch {
	case len(steps) == 0 && st.absent:
		return checkSchema(ctx, r.pool, t)
	case len(steps) == 0:
		return r.conceal(ctx, t, g, st)
	}
	if err := r.checkForeign(ctx, t, st); err != nil {
		return err
	}
	s, err := r.session(ctx, t)
	if err != nil {
		return err
	}
	defer func() { s.close(ctx) }()
	if err := r.checkLogin(ctx, s.conn(), t.schema); err != nil {
		return t.wrap(err)
	}
	p := &progress{s: s, st: st, g: g, res: res}
	err = p.run(ctx, r)
	if err != nil && s.pg().IsClosed() {
		s.close(ctx) // the pool may have only one connection
		p.find(ctx, r)
	}
	return err
}

// progress is the run of a selector's steps in one session.
type progress struct {
	s   *session
	st  state        // as last read by this runner
	g   stepSelector // the steps that are left; nil: none
	res *Result
}

// run runs the steps that are left. It records what was committed, also with an error.
func (p *progress) run(ctx context.Context, r *Runner) error {
	for p.g != nil {
		steps, err := p.s.t.next(p.g, p.st)
		if err != nil || len(steps) == 0 {
			return err
		}
		moved := false
		err = r.retry(ctx, func() (bool, error) {
			done, err := p.s.attempt(ctx, p.g, steps[0])
			if p.s.seen != nil {
				p.st = *p.s.seen
			}
			if len(done) > 0 {
				moved = true
				p.did(done)
			}
			if err == nil || !retryable(err) || p.s.sent {
				return false, err
			}
			steps, _ = p.s.t.next(p.g, p.st) // no error: next has accepted this state before
			return len(steps) > 0, err
		})
		if err != nil {
			return err
		}
		if !moved && p.s.seen == nil { // another runner has run the steps
			if p.st, err = readVersions(ctx, p.s.conn(), p.s.t); err != nil {
				return err
			}
		}
	}
	return nil
}

// did records steps that were committed.
func (p *progress) did(done []step) {
	p.st.did(done)
	p.res.did(done, p.st)
	p.g = p.g.after(done)
}

// find records what was committed although the connection was lost: the server may have executed
// more than it could report. find takes the schema's lock first. The lock is free when the lost
// session has ended.
func (p *progress) find(ctx context.Context, r *Runner) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	steps, err := p.s.t.next(p.g, p.st)
	if err != nil {
		return
	}
	s, err := r.session(ctx, p.s.t)
	if err != nil {
		return
	}
	defer s.close(ctx)
	_, _ = s.transact(ctx, func(now state) ([]step, bool, error) {
		n := 0
		for n < len(steps) && now.has(steps[n].m.version) == (steps[n].dir == Up) {
			n++
		}
		if n > 0 {
			p.did(steps[:n])
		}
		return nil, true, errors.New("nothing is to be done")
	})
}

// conceal revokes the privileges that other roles have on the version table of a schema in which
// nothing is pending, because a tenant must not be able to rewrite its history. Such privileges
// come back when a schema is provisioned again.
func (r *Runner) conceal(ctx context.Context, t target, g stepSelector, st state) error {
	if _, up := g.(upTo); !up || !st.exposed {
		return nil
	}
	return r.retry(ctx, func() (bool, error) {
		s, err := r.session(ctx, t)
		if err != nil {
			return false, err
		}
		defer s.close(ctx)
		_, err = s.transact(ctx, func(state) ([]step, bool, error) { return nil, true, nil })
		return retryable(err), err
	})
}

// attempt runs either the next step, if it has no transaction, or all steps before the next one
// that has none. It returns what was committed, also with an error.
func (s *session) attempt(ctx context.Context, g stepSelector, first step) ([]step, error) {
	s.sent, s.seen = false, nil
	if first.noTx() {
		return s.runWithoutTransaction(ctx, g)
	}
	return s.together(ctx, g)
}

// together runs the steps before the first that has no transaction, in two round trips: the first
// takes the lock and reads what is applied, the second does everything else.
func (s *session) together(ctx context.Context, g stepSelector) ([]step, error) {
	return s.transact(ctx, func(st state) ([]step, bool, error) {
		seen := st.clone()
		s.seen = &seen
		steps, err := s.t.next(g, st)
		if c, ok := g.(checker); ok && err == nil && len(steps) > 0 {
			err = c.check(ctx, s)
		}
		for i := range steps {
			if steps[i].noTx() {
				return steps[:i], false, err
			}
		}
		return steps, true, err
	})
}

// retry calls fn until it returns false for again, or [Config].LockRetries retries are used up,
// with growing random pauses. It returns the last error of fn, joined with that of ctx if ctx ends.
func (r *Runner) retry(ctx context.Context, fn func() (again bool, err error)) error {
	for attempt := 0; ; attempt++ {
		again, err := fn()
		if !again || attempt >= r.cfg.LockRetries {
			return err
		}
		pause := min(100*time.Millisecond<<min(attempt, 10), 5*time.Second)
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pause/2 + rand.N(pause/2)): // random, so that waiting runners do not retry at the same time
		}
	}
}

// raceError is an error that the concurrent work of another session has caused. A retry may
// succeed.
type raceError struct{ err error }

func (e *raceError) Error() string { return e.err.Error() }
func (e *raceError) Unwrap() error { return e.err }

// retryable reports whether err is a raceError, or the server's error for a lock that was not free
// or a deadlock.
func retryable(err error) bool {
	var race *raceError
	return errors.As(err, &race) || sqlstate.Is(err, sqlstate.LockNotAvailable, sqlstate.Deadlock)
}
