package resolver

import "time"

// load is what is being loaded: a partial batch, a full one, or both, which a full load serves.
type load struct {
	some, all *batch
	epoch     int // when it began
}

func (l *load) full() bool { return l.all != nil }

// take returns what may be loaded now, or nil and how long to wait for it; 0 if nothing is waiting.
func (q *queue) take(now time.Time, pace pacer) (*load, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var next *load
	var wait time.Duration
	for _, w := range []struct {
		b    *batch
		from time.Time
	}{{q.all, pace.all}, {q.some, pace.some}} {
		if w.b == nil {
			continue
		}
		from := w.b.since.Add(gather)
		if w.from.After(from) {
			from = w.from
		}
		if in := from.Sub(now); in > 0 {
			if wait == 0 || in < wait {
				wait = in
			}
			continue
		}
		if next = (&load{some: q.some, epoch: q.epoch}); w.b == q.all {
			next.all, q.all = q.all, nil
		}
		q.some = nil
		break
	}
	if next != nil {
		q.running = next.full() || len(next.some.ids) > 0 // hosts alone are not missing from memory
		q.reopen()
	}
	return next, wait
}

// finish ends what was loaded, and reports whether memory is now what the registry was when the load began: only after a
// full load, as before a partial one there may have been a change whose notification is still on its way. What a failed
// load was to read is asked for again, but for hosts: their requests are over.
func (q *queue) finish(l *load, err error) (current bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running = false
	if err == nil && l.full() && l.epoch == q.epoch {
		q.synced = q.epoch
	}
	if err != nil && !q.closed {
		if l.full() {
			q.full()
		}
		if l.some != nil && len(l.some.ids) > 0 {
			q.again(l.some.ids)
		}
	}
	for _, b := range []*batch{l.some, l.all} {
		if b != nil {
			b.end(err)
		}
	}
	return err == nil && l.full()
}

// idle reports whether notifications tell of all changes and none is waiting.
func (q *queue) idle() bool {
	return q.connected && q.synced == q.epoch && !q.running && q.all == nil && (q.some == nil || len(q.some.ids) == 0)
}

// connect and disconnect say what has become of the listening connection. What was changed while there was none is found
// by a full load.
func (q *queue) connect() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.connected = true
	q.epoch++
	q.full()
	q.reopen()
}

func (q *queue) disconnect() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.connected = false
	q.reopen()
}

// checked reports whether nothing is known to be missing from memory.
func (q *queue) checked() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.idle()
}

func (q *queue) again(ids map[int64]bool) {
	b := q.partial()
	for id := range ids {
		if len(b.ids) >= maxIDs {
			q.full()
			return
		}
		b.ids[id] = true
	}
}
