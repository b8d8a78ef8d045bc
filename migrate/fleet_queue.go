package migrate

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// queue hands out the schemas of a phase to the workers.
type queue struct {
	f         *fleet
	mu        sync.Mutex
	runs      [][]member // schemas to migrate; one server process has read all schemas of a run
	left      int        // number of schemas in runs
	postponed []member   // schemas whose lock was not free: they are tried again after the others
	reason    error      // why the other schemas are not started; nil: they are
}

// queue returns a queue of schemas. A run of it has the schemas in a row that one server process
// has read, and so has cached. If the options set an order, or one worker, all are in one run.
func (f *fleet) queue(todo []member) *queue {
	q := &queue{f: f, left: len(todo)}
	ordered := f.opts.Order != nil || f.opts.Workers == 1
	for from, i := 0, 1; i <= len(todo); i++ {
		if i == len(todo) || !ordered && todo[i].reader != todo[from].reader {
			q.runs, from = append(q.runs, todo[from:i]), i
		}
	}
	return q
}

// run returns a run whose schemas the server process reader has read, or else the longest run. It
// returns nil if all runs are empty. The caller holds q.mu.
func (q *queue) run(reader uint32) *[]member {
	var run *[]member
	for i := range q.runs {
		switch r := &q.runs[i]; {
		case len(*r) == 0:
		case (*r)[0].reader == reader:
			return r
		case run == nil || len(*r) > len(*run):
			run = r
		}
	}
	return run
}

// phase migrates schemas with the workers and waits for them. If schemas were not started, it
// reports them and returns the reason, otherwise the error of ctx. When ctx ends, no further schema
// is started; work governs those that were.
func (f *fleet) phase(ctx, work context.Context, todo []member) error {
	q := f.queue(todo)
	var wg sync.WaitGroup
	for range min(f.opts.Workers, len(todo)) {
		wg.Go(func() {
			w := &worker{f: f}
			defer w.release(work)
			w.warm(work)
			for group := q.dequeue(ctx, w); len(group) > 0; group = q.dequeue(ctx, w) {
				w.migrate(ctx, work, q, group)
			}
		})
	}
	wg.Wait()
	if rest := append(slices.Concat(q.runs...), q.postponed...); len(rest) > 0 {
		f.reportNotStarted(rest, q.reason)
		return q.reason
	}
	return ctx.Err()
}

// reportNotStarted reports schemas as not started.
func (f *fleet) reportNotStarted(rest []member, why error) {
	for _, m := range rest {
		f.finished(m.result(fmt.Errorf("migrate schema %q: %w: %w", m.schema, ErrNotStarted, why)))
	}
}

// dequeue returns the schemas that a worker migrates next, or none. It returns several if all
// pending migrations of each can be sent in one message.
func (q *queue) dequeue(ctx context.Context, w *worker) []member {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.reason = cmp.Or(q.reason, q.f.stopReason(ctx)); q.reason != nil {
		return nil
	}
	room := w.batchSize(q.left)
	if q.f.opts.Limit > 0 {
		room = min(room, q.f.opts.Limit-q.f.started)
	}
	run := q.run(w.process())
	if run == nil || room == 0 {
		return q.dequeuePostponed()
	}
	var group []member
	for len(*run) > 0 && len(group) < room {
		if (*run)[0].info == nil && q.f.r.cfg.Lock == LockTable {
			readTableInfo((*run)[:min(len(*run), tableInfoBatch)], queryTableInfo(ctx, w.querier()))
		}
		m := (*run)[0]
		if len(group) > 0 && (!q.shares(m) || !q.shares(group[0])) {
			break
		}
		group = append(group, m)
		(*run)[0] = member{} // frees what was read for it
		*run = (*run)[1:]
	}
	q.left -= len(group)
	q.f.started += len(group)
	// All runners lock in the order of the names, so that two of them do not deadlock.
	slices.SortFunc(group, func(a, b member) int { return cmp.Compare(a.schema, b.schema) })
	return group
}

// shares reports whether dequeue can return the schema together with others.
func (q *queue) shares(m member) bool {
	if q.f.r.cfg.Lock == LockTable {
		return m.ready()
	}
	return m.batchable()
}

// requeue puts schemas that were dequeued and not started back at the front of the queue.
func (q *queue) requeue(members []member) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.runs = slices.Concat([][]member{members}, q.runs)
	q.left += len(members)
	q.f.started -= len(members)
}

// started sends EventStarted for a schema, once.
func (q *queue) started(m *member) {
	if !m.started {
		m.started = true
		q.f.emit(Event{Kind: EventStarted, Schema: m.schema})
	}
}

// dequeuePostponed returns the next postponed schema, or none. If it returns none while schemas are
// left in the runs, the limit was reached, and it sets q.reason. The caller holds q.mu.
func (q *queue) dequeuePostponed() []member {
	if len(q.postponed) == 0 {
		if q.left > 0 {
			q.reason = ErrLimit
		}
		return nil
	}
	m := q.postponed[0]
	q.postponed = q.postponed[1:]
	return []member{m}
}

// postpone puts a schema whose lock was not free behind all others.
func (q *queue) postpone(m member) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m.retried = true
	q.postponed = append(q.postponed, m)
}

// stopReason returns why no further schema is started, or nil.
func (f *fleet) stopReason(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case f.opts.StopAfter > 0 && f.progress.Failed >= f.opts.StopAfter:
		return ErrStopAfter
	}
	return nil
}

// finished records the result of a schema and sends EventFinished.
func (f *fleet) finished(res Result) {
	f.r.log(context.Background(), "schema migrated", res)
	f.mu.Lock()
	defer f.mu.Unlock()
	if res.Outcome == Current { // another runner has migrated it
		f.report.Current++
	} else {
		f.report.Results = append(f.report.Results, res)
	}
	if res.Outcome != NotStarted {
		f.progress.Done++
	}
	if res.Outcome.failed() {
		f.progress.Failed++
		f.r.cfg.Logger.Warn("schema not migrated", slog.String("schema", res.Schema), slog.Any("error", res.Err))
	}
	f.emitLocked(Event{Kind: EventFinished, Schema: res.Schema, Result: res})
}

func (f *fleet) emit(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.emitLocked(e)
}

// emitLocked calls the Events function of the options. The caller holds f.mu.
func (f *fleet) emitLocked(e Event) {
	if f.opts.Events == nil {
		return
	}
	e.Progress = f.progress
	if !f.start.IsZero() {
		e.Progress.Elapsed = time.Since(f.start)
	}
	f.opts.Events(e)
}
