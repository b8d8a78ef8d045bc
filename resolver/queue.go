package resolver

import (
	"sync"
	"sync/atomic"
	"time"
)

// The limits of one partial load. More tenants are read by one full load, whatever asked for them;
// more hosts are unknown.
const (
	maxIDs   = 256
	maxHosts = 64
)

// gatherDelay is how long a load waits for other requests to join it: moving a domain to another
// tenant sends two notifications, and one query is better than two.
const gatherDelay = 2 * time.Millisecond

// batch is what one load reads.
type batch struct {
	ids   map[int64]bool
	hosts map[string]bool
	since time.Time     // of the first request
	done  chan struct{} // closed when the load has ended or was abandoned
	err   error         // valid once done is closed
}

// queue holds what is to be loaded. Requests join a waiting batch, so its size is bounded.
type queue struct {
	wake         chan struct{} // of capacity 1: there is something new
	acceptsHosts atomic.Bool   // an unknown host may ask for a load; false answers it without a lock

	mu            sync.Mutex
	partial, full *batch // waiting; nil if nothing waits
	loading       bool   // a load that is not for hosts alone is running
	connected     bool   // the listening connection is up
	epoch         int    // grows with each connection
	synced        int    // the epoch with a finished full load: since then notifications report every change
	tokens        int    // queries that unknown hosts may still cause
	burst         int
	closed        bool
}

func newQueue(burst int) *queue {
	burst = max(burst, 0)
	return &queue{wake: make(chan struct{}, 1), tokens: burst, burst: burst}
}

// addID asks for one tenant to be read again.
func (q *queue) addID(id int64) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.joinPartial()
	if len(b.ids) >= maxIDs && !b.ids[id] {
		return q.joinFull()
	}
	b.ids[id] = true
	return b
}

// addHost asks for an unknown host, or returns nil if that is not allowed now. The first host of a
// batch costs a token; other hosts join it.
func (q *queue) addHost(host string) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch joins := q.partial != nil && len(q.partial.hosts) > 0; {
	case !q.connected || q.closed || joins && len(q.partial.hosts) >= maxHosts || !joins && q.tokens == 0:
		return nil
	case !joins:
		q.tokens--
	}
	b := q.joinPartial()
	b.hosts[host] = true
	q.updateAcceptsHosts()
	return b
}

// addAll asks for the whole registry to be read again.
func (q *queue) addAll() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.joinFull()
}

func (q *queue) joinPartial() *batch { return q.join(&q.partial) }

func (q *queue) joinFull() *batch { return q.join(&q.full) }

// join returns the waiting batch, or a new one. After close it returns a batch that has ended.
func (q *queue) join(waiting **batch) *batch {
	b := *waiting
	if b == nil {
		b = &batch{
			ids: map[int64]bool{}, hosts: map[string]bool{}, since: time.Now(), done: make(chan struct{}),
		}
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

// refill adds a token to the bucket.
func (q *queue) refill() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tokens = min(q.tokens+1, q.burst)
	q.updateAcceptsHosts()
}

// updateAcceptsHosts sets whether unknown hosts may ask for a load. None may without a connection.
func (q *queue) updateAcceptsHosts() {
	joins := q.partial != nil && len(q.partial.hosts) > 0 && len(q.partial.hosts) < maxHosts
	q.acceptsHosts.Store(q.connected && !q.closed && (q.tokens > 0 || joins))
}

// close ends the waiting batches with [ErrClosed].
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, b := range []*batch{q.partial, q.full} {
		if b != nil {
			b.end(ErrClosed)
		}
	}
	q.partial, q.full = nil, nil
	q.updateAcceptsHosts()
}

// end wakes the goroutines that wait for the batch.
func (b *batch) end(err error) {
	b.err = err
	close(b.done)
}
