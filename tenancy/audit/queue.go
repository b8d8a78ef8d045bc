package audit

import (
	"context"
	"fmt"
	"sync"
)

// queue holds entries between their producers and the writer. Entries that the writer has dequeued
// and not yet stored count towards the capacity, so that it bounds all entries in memory.
type queue struct {
	mu       sync.Mutex
	items    []entry
	spare    []entry // the slice that the writer has recycled
	capacity int
	taken    int           // dequeued by the writer and not yet done
	reserved int           // places of requests that are being served
	accepted int64         // entries ever
	done     int64         // entries stored or lost
	closed   bool          // nothing more is accepted
	ended    bool          // the writer has stopped
	batch    int           // number of entries that wakes the writer at once
	ready    chan struct{} // holds a message if there are entries
	urgent   chan struct{} // holds a message if there is a batch, or a caller waits
	changed  chan struct{} // closed when there is room or entries are done; nil while no caller waits
}

func newQueue(capacity, batch int) *queue {
	return &queue{
		capacity: capacity, batch: min(batch, capacity), items: make([]entry, 0, min(capacity, batch)),
		ready: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
	}
}

func (q *queue) full() bool { return len(q.items)+q.taken+q.reserved >= q.capacity }

// put appends an entry. If the queue is full it returns [ErrFull], or with wait it waits for room
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

// append adds an entry and releases the lock.
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

// reserve reserves a place, or returns [ErrFull] or [ErrClosed].
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

// putReserved puts an entry into a reserved place, also if the queue was closed in the meantime:
// Close waits for reserved places. It returns false if the writer has stopped because that wait
// ended; the entry was then counted as lost.
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

// dequeueAll returns all entries. The writer owns them until it calls recycle.
func (q *queue) dequeueAll() []entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items, q.spare = q.spare[:0], nil
	q.taken += len(items)
	return items
}

// recycle returns the slice of dequeueAll for reuse.
func (q *queue) recycle(items []entry) {
	clear(items) // releases the texts
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spare = items[:0]
}

// acknowledge marks n dequeued entries as stored or lost.
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

// watch returns a channel that is closed at the next change. The caller holds the lock.
func (q *queue) watch() <-chan struct{} {
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed
}

// wait waits until all entries accepted before the call are done.
func (q *queue) wait(ctx context.Context) error {
	q.mu.Lock()
	goal := q.accepted
	q.mu.Unlock()
	return q.waitUntil(ctx, func() bool { return q.done >= goal })
}

// drain waits until all entries are done and all reserved places are used.
func (q *queue) drain(ctx context.Context) error {
	return q.waitUntil(ctx, func() bool { return q.done >= q.accepted && q.reserved == 0 })
}

// waitUntil waits for a condition, which it evaluates with the lock held.
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

// close refuses further entries, except for reserved places. It reports whether this is the first
// call.
func (q *queue) close() (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first, q.closed = !q.closed, true
	if q.changed != nil { // wakes callers that wait for room
		close(q.changed)
		q.changed = nil
	}
	return first
}

// end marks the writer as stopped. It returns the number of entries that are left, including those
// of reserved places.
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

// length returns the number of entries in memory.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) + q.taken
}

// notify sends unless the channel already holds a message.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
