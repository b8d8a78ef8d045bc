package migrate

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// run reaches a goal in one schema, one transaction or one migration without one at a time.
func (r *Runner) run(ctx context.Context, res *Result, g goal) error {
	t, err := r.target(res.Schema)
	if err != nil {
		return err
	}
	if t.kind == TenantSet { // the shared migrations may be what makes the schemas
		if err := r.checkPath(ctx); err != nil {
			return err
		}
	}
	st := noTable()
	if !t.cfg.fresh {
		if st, err = readVersions(ctx, r.pool, t); err != nil {
			return err
		}
	}
	return r.runFrom(ctx, t, st, res, g)
}

// runFrom is run for a schema whose state was read already. It may have changed since: what is done is decided
// under the lock.
func (r *Runner) runFrom(ctx context.Context, t target, st state, res *Result, g goal) error {
	res.From = st.newest()
	res.To = res.From
	steps, err := t.next(g, st)
	if err != nil {
		return err
	}
	res.newer = len(steps) == 0 && len(t.standing(st).unknown) > 0
	switch {
	case len(steps) == 0 && st.absent:
		return checkSchema(ctx, r.pool, t)
	case len(steps) == 0:
		return r.conceal(ctx, t, g, st)
	}
	var held *session
	if r.cfg.Lock == LockSession {
		if held, err = r.hold(ctx, t); err != nil {
			return err
		}
		defer held.close(ctx)
	}
	for len(steps) > 0 {
		done, err := r.attempts(ctx, t, held, g, steps[0])
		st.did(done)
		res.did(done, st)
		if err != nil {
			return err
		}
		if len(done) > 0 {
			if g = g.after(done); g == nil {
				return nil
			}
		} else if st, err = readVersions(ctx, r.pool, t); err != nil { // another runner was faster
			return err
		}
		if steps, err = t.next(g, st); err != nil {
			return err
		}
	}
	return nil
}

// conceal takes from others the rights on a version table that has nothing pending, as they come
// back when a schema is provisioned again: a tenant must not rewrite its own history.
func (r *Runner) conceal(ctx context.Context, t target, g goal, st state) error {
	if _, up := g.(upTo); !up || !st.exposed {
		return nil
	}
	return r.retry(ctx, func() (bool, error) {
		s, err := r.session(ctx, t)
		if err != nil {
			return false, err
		}
		defer s.close(ctx)
		_, err = s.transact(ctx, func(state) ([]step, error) { return nil, nil })
		return retryable(err), err
	})
}

// hold takes the schema's lock on a session that is kept.
func (r *Runner) hold(ctx context.Context, t target) (*session, error) {
	var held *session
	err := r.retry(ctx, func() (bool, error) {
		s, err := r.session(ctx, t)
		if err != nil {
			return false, err
		}
		if err = s.lock(ctx); err != nil {
			s.close(ctx)
			return retryable(err), err
		}
		held = s
		return false, nil
	})
	return held, err
}

// attempts runs what comes next, all steps that share a transaction or one that has none. It tries
// again where a lock was not to be had.
func (r *Runner) attempts(ctx context.Context, t target, held *session, g goal, first step) ([]step, error) {
	var done []step
	err := r.retry(ctx, func() (bool, error) {
		s := held
		if s == nil {
			var err error
			if s, err = r.session(ctx, t); err != nil {
				return false, err
			}
			defer s.close(ctx)
		}
		s.sent = false
		var err error
		if first.noTx() {
			done, err = s.alone(ctx, g)
		} else {
			done, err = s.together(ctx, g)
		}
		return retryable(err) && !s.sent, err
	})
	return done, err
}

// together runs the steps up to the first that has no transaction, in two round trips: the lock and
// what is applied, then everything else.
func (s *session) together(ctx context.Context, g goal) ([]step, error) {
	return s.transact(ctx, func(st state) ([]step, error) {
		steps, err := s.t.next(g, st)
		if c, ok := g.(checker); ok && err == nil && len(steps) > 0 {
			err = c.check(ctx, s)
		}
		for i := range steps {
			if steps[i].noTx() {
				return steps[:i], err
			}
		}
		return steps, err
	})
}

// retry calls fn until it does not ask for more, with growing pauses.
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
		case <-time.After(pause/2 + rand.N(pause/2)): // apart from others that wait for the same lock
		}
	}
}

// raceError is an error that a second attempt will not meet.
type raceError struct{ err error }

func (e *raceError) Error() string { return e.err.Error() }
func (e *raceError) Unwrap() error { return e.err }

func retryable(err error) bool {
	var race *raceError
	return errors.As(err, &race) || stateIs(err, lockNotAvailable, deadlockDetected)
}
