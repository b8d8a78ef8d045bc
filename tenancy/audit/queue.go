package audit

import (
	"context"
	"fmt"
	"sync"
)

// queue holds entries between those who log and the writer. What the writer has taken and not yet
// stored counts, so that its capacity is a bound on all that is in memory.
type queue struct {
	mu       sync.Mutex
	items    []entry
	spare    []entry // the slice that the writer has given back
	capacity int
	taken    int           // by the writer and not yet done
	reserved int           // places of requests that are being served
	accepted int64         // entries ever
	done     int64         // of those, the ones that the writer is done with
	closed   bool          // nothing more is accepted
	ended    bool          // nothing more is done
	batch    int           // so many are worth waking the writer at once
	ready    chan struct{} // holds one when there are entries
	urgent   chan struct{} // holds one when there is a batch, or somebody waits
	changed  chan struct{} // closed when there is room, or entries are done; nil while nobody waits
}

func newQueue(capacity, batch int) *queue {
	return &queue{
		capacity: capacity, batch: min(batch, capacity), items: make([]entry, 0, min(capacity, batch)),
		ready: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
	}
}

func (q *queue) full() bool { return len(q.items)+q.taken+q.reserved >= q.capacity }

// put appends an entry. Where there is no room it returns [ErrFull]; wait makes it wait for room
// until ctx ends.
func (q *queue) put(ctx context.Context, e *entry, wait bool) error {
	q.mu.Lock()
	for q.full() || q.closed {
		if q.closed {
			q.mu.Unlock()
			return ErrClosed
		}
		if !wait {
			q.mu.Unlock()
			return ErrFull
		}
		changed := q.watch()
		q.mu.Unlock()
		notify(q.urgent)
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrFull, context.Cause(ctx))
		}
		q.mu.Lock()
	}
	q.append(e)
	return nil
}

// append adds an entry and unlocks.
func (q *queue) append(e *entry) {
	q.items = append(q.items, *e)
	q.accepted++
	n, closed := len(q.items), q.closed
	q.mu.Unlock()
	if n == 1 {
		notify(q.ready)
	}
	if n == q.batch || closed {
		notify(q.urgent)
	}
}

// reserve keeps a place, or returns [ErrFull] or [ErrClosed].
func (q *queue) reserve() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case q.full():
		notify(q.urgent)
		return ErrFull
	}
	q.reserved++
	return nil
}

// fill puts an entry into the place that was kept, also when the queue was closed meanwhile: close
// waits for it. False: the writer has ended, as that wait was given up, and the entry was counted
// as lost.
func (q *queue) putReserved(e *entry) bool {
	q.mu.Lock()
	q.reserved--
	if q.ended {
		q.mu.Unlock()
		return false
	}
	q.append(e)
	return true
}

// take returns all entries. They are the writer's until it gives them back.
func (q *queue) dequeueAll() []entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items, q.spare = q.spare[:0], nil
	q.taken += len(items)
	return items
}

// giveBack returns the slice of take.
func (q *queue) recycle(items []entry) {
	clear(items) // lets go of texts
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spare = items[:0]
}

// finish says that n of the taken entries are stored, or lost.
func (q *queue) acknowledge(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken -= n
	q.done += int64(n)
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// watch returns a channel that is closed at the next finish. The caller holds the lock.
func (q *queue) watch() <-chan struct{} {
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed
}

// wait returns when all that was accepted before is done.
func (q *queue) wait(ctx context.Context) error {
	q.mu.Lock()
	goal := q.accepted
	q.mu.Unlock()
	return q.waitUntil(ctx, func() bool { return q.done >= goal })
}

// drain returns when all is done, also what has only a place yet.
func (q *queue) drain(ctx context.Context) error {
	return q.waitUntil(ctx, func() bool { return q.done >= q.accepted && q.reserved == 0 })
}

// until waits for a condition, which is looked at under the lock.
func (q *queue) waitUntil(ctx context.Context, met func() bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !met() {
		if q.ended {
			return ErrClosed
		}
		changed := q.watch()
		q.mu.Unlock()
		notify(q.urgent)
		select {
		case <-changed:
			q.mu.Lock()
		case <-ctx.Done():
			q.mu.Lock()
			return context.Cause(ctx)
		}
	}
	return nil
}

// close lets nothing more in, but what has a place.
func (q *queue) close() (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first, q.closed = !q.closed, true
	if q.changed != nil { // those who wait for room
		close(q.changed)
		q.changed = nil
	}
	return first
}

// end says that the writer has ended, and returns how many entries it leaves, with those of
// requests that are still served.
func (q *queue) end() (lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
	return len(q.items) + q.taken + q.reserved
}

// length returns how many entries are in memory.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) + q.taken
}

// notify leaves a message unless there is one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
