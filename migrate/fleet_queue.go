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

// queue hands out the schemas of a phase.
type queue struct {
	f    *fleet
	mu   sync.Mutex
	todo []member
	late []member // a lock was in the way: tried again behind the others
	why  error    // why the rest is not started
}

// phase migrates schemas, and returns why some were not started.
func (f *fleet) phase(ctx, work context.Context, todo []member) error {
	q := &queue{f: f, todo: todo}
	var wg sync.WaitGroup
	for range min(f.opts.Workers, len(todo)) {
		wg.Go(func() {
			w := &worker{f: f}
			defer w.release(work)
			for group := q.take(ctx, w); len(group) > 0; group = q.take(ctx, w) {
				w.migrate(ctx, work, q, group)
			}
		})
	}
	wg.Wait()
	if rest := append(q.todo, q.late...); len(rest) > 0 {
		f.leave(rest, q.why)
		return q.why
	}
	return ctx.Err()
}

// leave enters schemas that are not started.
func (f *fleet) leave(rest []member, why error) {
	for _, m := range rest {
		f.finished(m.result(fmt.Errorf("migrate schema %q: %w: %w", m.schema, ErrNotStarted, why)))
	}
}

// take returns the schemas to migrate next, or none: several where all that is pending in each can go out together.
func (q *queue) take(ctx context.Context, w *worker) []member {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.why = cmp.Or(q.why, q.f.enough(ctx)); q.why != nil {
		return nil
	}
	room := w.room(len(q.todo))
	if q.f.opts.Limit > 0 {
		room = min(room, q.f.opts.Limit-q.f.started)
	}
	if len(q.todo) == 0 || room == 0 {
		return q.takeLate()
	}
	var group []member
	for len(q.todo) > 0 && len(group) < room {
		if q.todo[0].kit == nil && q.f.r.cfg.Lock == LockTable {
			equip(ctx, w.querier(), q.todo[:min(len(q.todo), equipAtOnce)])
		}
		m := q.todo[0]
		if len(group) > 0 && (!q.shares(m) || !q.shares(group[0])) {
			break
		}
		group = append(group, m)
		q.todo[0] = member{} // with what was read for it
		q.todo = q.todo[1:]
	}
	q.f.started += len(group)
	slices.SortFunc(group, func(a, b member) int { return cmp.Compare(a.schema, b.schema) }) // two runners lock in one order
	return group
}

// shares reports whether a schema can be taken with others.
func (q *queue) shares(m member) bool {
	if q.f.r.cfg.Lock == LockTable {
		return m.fast()
	}
	return m.swift()
}

// back takes schemas back that were not begun.
func (q *queue) back(members []member) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.todo = slices.Concat(members, q.todo)
	q.f.started -= len(members)
}

// told tells, once, that a schema begins.
func (q *queue) told(m *member) {
	if !m.told {
		m.told = true
		q.f.event(Event{Kind: EventStarted, Schema: m.schema})
	}
}

// takeLate returns the next of those that were tried before. When there is none any more, the limit may have left some.
func (q *queue) takeLate() []member {
	if len(q.late) == 0 {
		if len(q.todo) > 0 {
			q.why = ErrLimit
		}
		return nil
	}
	m := q.late[0]
	q.late = q.late[1:]
	return []member{m}
}

// later puts a schema behind all others. It has been started.
func (q *queue) later(m member) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m.late = true
	q.late = append(q.late, m)
}

// enough returns why no further schema is to be started, or nil.
func (f *fleet) enough(ctx context.Context) error {
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

// finished enters what came of a schema.
func (f *fleet) finished(res Result) {
	f.r.log(context.Background(), "schema migrated", res)
	f.mu.Lock()
	defer f.mu.Unlock()
	if res.Outcome == Current { // another runner was faster
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
	f.tell(Event{Kind: EventFinished, Schema: res.Schema, Result: res})
}

func (f *fleet) event(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(e)
}

// tell calls Events. The caller holds the lock.
func (f *fleet) tell(e Event) {
	if f.opts.Events == nil {
		return
	}
	e.Progress = f.progress
	if !f.start.IsZero() {
		e.Progress.Elapsed = time.Since(f.start)
	}
	f.opts.Events(e)
}
