package resolver

import (
	"sync"
	"sync/atomic"
	"time"
)

// The most that one partial load reads. More tenants than that are read by one full load, whoever named them; more
// hosts are unknown at once.
const (
	maxIDs   = 256
	maxHosts = 64
)

// gather is how long a load waits for others to join it: a change of a domain's tenant is told in two notifications,
// and one query is better than two.
const gather = 2 * time.Millisecond

// batch is what one load is for.
type batch struct {
	ids   map[int64]bool
	hosts map[string]bool
	since time.Time     // when the first asked for it
	done  chan struct{} // closed when it is over, or given up
	err   error         // to be read when done
}

// queue holds what is to be loaded. It coalesces, so that its size is bounded whatever comes in.
type queue struct {
	wake chan struct{} // of capacity 1: there is something new
	open atomic.Bool   // an unknown host may ask for a load; false answers it without a lock

	mu        sync.Mutex
	some, all *batch // waiting; nil if nothing is
	running   bool   // a load that is not for hosts alone
	connected bool   // the listening connection is up
	epoch     int    // grows with each connection
	synced    int    // the epoch whose first full load is done: since then notifications tell of all changes
	tokens    int    // queries that unknown hosts may still cause
	burst     int
	closed    bool
}

func newQueue(burst int) *queue {
	burst = max(burst, 0)
	return &queue{wake: make(chan struct{}, 1), tokens: burst, burst: burst}
}

// addID asks for a tenant to be read again.
func (q *queue) addID(id int64) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.partial()
	if len(b.ids) >= maxIDs && !b.ids[id] {
		return q.full()
	}
	b.ids[id] = true
	return b
}

// addHost asks for an unknown host to be looked for, or returns nil where none may be: the first of a batch costs a
// token, the others join it.
func (q *queue) addHost(host string) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch joins := q.some != nil && len(q.some.hosts) > 0; {
	case !q.connected || q.closed || joins && len(q.some.hosts) >= maxHosts || !joins && q.tokens == 0:
		return nil
	case !joins:
		q.tokens--
	}
	b := q.partial()
	b.hosts[host] = true
	q.reopen()
	return b
}

// addAll asks for everything to be read again.
func (q *queue) addAll() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.full()
}

func (q *queue) partial() *batch { return q.join(&q.some) }

func (q *queue) full() *batch { return q.join(&q.all) }

// join returns the batch that is waiting there, or a new one; after close one that has ended and is not kept.
func (q *queue) join(waiting **batch) *batch {
	b := *waiting
	if b == nil {
		b = &batch{ids: map[int64]bool{}, hosts: map[string]bool{}, since: time.Now(), done: make(chan struct{})}
	}
	if q.closed {
		b.end(ErrClosed)
		return b
	}
	*waiting = b
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return b
}

// refill puts a token into the bucket.
func (q *queue) refill() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tokens = min(q.tokens+1, q.burst)
	q.reopen()
}

// reopen says whether unknown hosts may come in. With the database away none may: there is nobody to ask.
func (q *queue) reopen() {
	joins := q.some != nil && len(q.some.hosts) > 0 && len(q.some.hosts) < maxHosts
	q.open.Store(q.connected && !q.closed && (q.tokens > 0 || joins))
}

// close gives up what is waiting.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, b := range []*batch{q.some, q.all} {
		if b != nil {
			b.end(ErrClosed)
		}
	}
	q.some, q.all = nil, nil
	q.reopen()
}

// end tells those who wait for the batch.
func (b *batch) end(err error) {
	b.err = err
	close(b.done)
}
