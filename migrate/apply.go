package migrate

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// run reaches a goal in one schema, one transaction or one migration without one at a time.
func (r *Runner) run(ctx context.Context, res *Result, g stepSelector) error {
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
	if !t.cfg.newSchema {
		if st, err = readVersions(ctx, r.pool, t); err != nil {
			return err
		}
	}
	return r.runFrom(ctx, t, st, res, g)
}

// runFrom is run for a schema whose state was read already. It may have changed since: what is done
// is decided under the lock.
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
	w := &way{s: s, st: st, g: g, res: res}
	err = w.run(ctx, r)
	if err != nil && s.pg().IsClosed() {
		s.close(ctx) // a pool of one has no other
		w.find(ctx, r)
	}
	return err
}

// way is how far a session has come on the way to a goal.
type way struct {
	s   *session
	st  state        // as far as this runner knows
	g   stepSelector // what is left of it; nil: nothing
	res *Result
}

// run runs what the goal has left. What was committed is entered, also with an error.
func (w *way) run(ctx context.Context, r *Runner) error {
	for w.g != nil {
		steps, err := w.s.t.next(w.g, w.st)
		if err != nil || len(steps) == 0 {
			return err
		}
		moved := false
		err = r.retry(ctx, func() (bool, error) {
			done, err := w.s.attempt(ctx, w.g, steps[0])
			if w.s.seen != nil {
				w.st = *w.s.seen
			}
			if len(done) > 0 {
				moved = true
				w.did(done)
			}
			if err == nil || !retryable(err) || w.s.sent {
				return false, err
			}
			steps, _ = w.s.t.next(w.g, w.st) // it was known what is left, and that it may be done
			return len(steps) > 0, err
		})
		if err != nil {
			return err
		}
		if !moved && w.s.seen == nil { // another runner was faster
			if w.st, err = readVersions(ctx, w.s.conn(), w.s.t); err != nil {
				return err
			}
		}
	}
	return nil
}

// did enters steps that were committed.
func (w *way) did(done []step) {
	w.st.did(done)
	w.res.did(done, w.st)
	w.g = w.g.after(done)
}

// find enters what was committed before a connection was lost: the server may have gone on without
// its answer being read. The lock tells when it has ended.
func (w *way) find(ctx context.Context, r *Runner) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	steps, err := w.s.t.next(w.g, w.st)
	if err != nil {
		return
	}
	s, err := r.session(ctx, w.s.t)
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
			w.did(steps[:n])
		}
		return nil, true, errors.New("nothing is to be done")
	})
}

// conceal takes from others the rights on a version table that has nothing pending, as they come
// back when a schema is provisioned again: a tenant must not rewrite its own history.
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

// attempt runs what comes next: all steps up to the first that has no transaction, or one that has
// none. It returns what was committed, also with an error.
func (s *session) attempt(ctx context.Context, g stepSelector, first step) ([]step, error) {
	s.sent, s.seen = false, nil
	if first.noTx() {
		return s.readFailed(ctx, g)
	}
	return s.together(ctx, g)
}

// together runs the steps up to the first that has no transaction, in two round trips: the lock and
// what is applied, then everything else.
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
