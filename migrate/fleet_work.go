package migrate

import (
	"context"
	"errors"
	"slices"
	"time"
)

// migrateOne migrates one schema. again is true if a lock was not free within one timeout: the
// schema is tried again after the others, with as many retries as [Config].LockRetries says.
func (w *worker) migrateOne(ctx context.Context, m *member) (res Result, again bool) {
	r := w.f.r
	once := !m.retried && r.cfg.LockRetries > 0
	if once {
		r = r.withoutRetries()
	}
	if m.ready() && r.cfg.Lock == LockTable {
		err := r.retry(ctx, func() (bool, error) {
			err := w.sendGroup(ctx, []member{*m})
			return retryable(err), err
		})
		var failure *batchError
		switch {
		case err == nil:
			return m.migrated(0), false
		case once && retryable(err):
			return Result{}, true
		case errors.As(err, &failure) && failure.checked, retryable(err):
			return m.failed(Result{}, err), false
		}
	}
	w.release(ctx)                         // what follows takes a connection of its own
	if m.line != nil && m.line.batchable { // the state that was read is out of date
		res = Result{Schema: m.schema, order: m.order}
		err := r.run(ctx, &res, upTo{Newest})
		m.find(ctx, r, &res)
		if err != nil {
			return m.failed(res, err), once && r.mayRunAgain(err)
		}
		res.Outcome = res.outcome()
		return res, false
	}
	if m.tableLocked() {
		s := survey{r: r, lines: w.f.survey.lines, seen: w.f.survey.seen}
		if err := s.readLocked(ctx, m); err != nil {
			return m.failed(Result{}, err), once && retryable(err)
		}
	}
	res = m.result(nil)
	st := m.line.state
	st.applied = slices.Clone(st.applied) // other schemas share the lineage
	err := r.runFrom(ctx, m.target(r), st, &res, upTo{Newest})
	if err != nil {
		return m.failed(res, err), once && r.mayRunAgain(err)
	}
	res.Outcome = res.outcome()
	return res, false
}

// find adds to the result what was committed before a connection was lost. The caller has held the
// schema's lock after that, so the lost session has ended and commits nothing more.
func (m *member) find(ctx context.Context, r *Runner, res *Result) {
	if m.lost == nil {
		return
	}
	st, err := readVersions(ctx, r.pool, m.target(r))
	if err != nil {
		return
	}
	res.Applied, res.From, res.To = nil, m.lost.state.newest(), st.newest()
	for _, v := range m.lost.pending {
		if st.has(v) {
			res.Applied = append(res.Applied, v)
		}
	}
	m.done, m.lost = nil, nil
}

func (r *Runner) withoutRetries() *Runner {
	once := *r
	once.cfg.LockRetries = -1
	return &once
}

// mayRunAgain reports whether a schema can be tried again after err: a lock was not free, and no
// migration without a transaction has run in part.
func (r *Runner) mayRunAgain(err error) bool {
	var failure *Error
	if errors.As(err, &failure) {
		if m := r.tenant.find(failure.Version); m == nil || m.noTx {
			return false
		}
	}
	return retryable(err)
}

// failed returns the result of a schema whose migration failed.
func (m *member) failed(res Result, err error) Result {
	var failure *batchError
	if errors.As(err, &failure) {
		err = failure.err
	}
	if res.Schema == "" {
		res = m.result(err)
	}
	res.Err, res.Outcome = err, outcomeOf(err)
	if res.Outcome == Missing {
		res.Outcome = Dropped
	}
	return res
}

// migrated returns the result of a schema in which all pending migrations were applied.
func (m *member) migrated(took time.Duration) Result {
	res := m.result(nil)
	for _, v := range m.line.pending {
		res.To = max(res.To, v)
	}
	res.Applied, res.Outcome, res.Duration = slices.Clone(m.line.pending[m.next:]), Migrated, took
	return m.withAttempts(res)
}
