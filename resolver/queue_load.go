package resolver

import "time"

// load is what is being loaded: a partial batch, a full batch, or both, which one full load serves.
type load struct {
	partial, full *batch
	epoch         int // of the queue when the load began
}

func (l *load) isFull() bool { return l.full != nil }

// dequeue returns the next load. If none may begin now, it returns nil and the time until one may,
// or 0 if nothing is waiting.
func (q *queue) dequeue(now time.Time, pace pacer) (*load, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	untilFull := untilReady(q.full, pace.full, now)
	untilPartial := untilReady(q.partial, pace.partial, now)
	var next *load
	switch {
	case q.full != nil && untilFull <= 0:
		next = &load{partial: q.partial, full: q.full, epoch: q.epoch}
		q.partial, q.full = nil, nil
	case q.partial != nil && untilPartial <= 0:
		next = &load{partial: q.partial, epoch: q.epoch}
		q.partial = nil
	case q.full != nil && q.partial != nil:
		return nil, min(untilFull, untilPartial)
	default:
		return nil, max(untilFull, untilPartial) // at most one is not 0
	}
	q.loading = next.isFull() || len(next.partial.ids) > 0 // hosts alone are not missing from memory
	q.updateAcceptsHosts()
	return next, 0
}

// untilReady returns the time until a batch may be loaded, or 0 without a batch.
func untilReady(b *batch, earliest, now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	ready := b.since.Add(gatherDelay)
	if earliest.After(ready) {
		ready = earliest
	}
	return ready.Sub(now)
}

// finish ends a load, and reports whether memory now equals the registry at the start of the load.
// Only a full load can say that: before a partial load there may have been a change whose
// notification is still on its way. The tenants of a failed load are queued again; its hosts are
// not, because their requests have been answered.
func (q *queue) finish(l *load, err error) (current bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.loading = false
	if err == nil && l.isFull() && l.epoch == q.epoch {
		q.synced = q.epoch
	}
	if err != nil && !q.closed {
		if l.isFull() {
			q.joinFull()
		}
		if l.partial != nil && len(l.partial.ids) > 0 {
			q.requeue(l.partial.ids)
		}
	}
	for _, b := range []*batch{l.partial, l.full} {
		if b != nil {
			b.end(err)
		}
	}
	return err == nil && l.isFull()
}

func (q *queue) requeue(ids map[int64]bool) {
	b := q.joinPartial()
	for id := range ids {
		if len(b.ids) >= maxIDs {
			q.joinFull()
			return
		}
		b.ids[id] = true
	}
}

// connect records that the listening connection is up. A full load finds the changes that were made
// while there was no connection.
func (q *queue) connect() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.connected = true
	q.epoch++
	q.joinFull()
	q.updateAcceptsHosts()
}

// disconnect records that the listening connection is lost.
func (q *queue) disconnect() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.connected = false
	q.updateAcceptsHosts()
}

// current reports whether notifications report every change and no change is waiting or loading.
func (q *queue) current() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.connected && q.synced == q.epoch && !q.loading && q.full == nil &&
		(q.partial == nil || len(q.partial.ids) == 0)
}
