package ratelimit

import (
	"sync"
	"time"
)

// tenantBuckets holds the buckets of one tenant and of its callers.
type tenantBuckets struct {
	mu      sync.Mutex
	gone    bool      // no longer in the table: look there again
	last    time.Time // the latest time that was seen
	callers map[uint64]*callerBucket
	newest  *callerBucket // the last used; the list goes on with older
	oldest  *callerBucket
	own     bucket
	others  bucket // of the callers for whom there is no room; behind what each decision looks at
}

// callerBucket is the bucket of one caller, an element of its tenant's list.
type callerBucket struct {
	newer, older *callerBucket
	used         time.Time // when it was made the newest
	bucket
	key uint64
}

// touchInterval is the minimum time between two moves of one caller to the front of the list. The
// order is at most this inaccurate, and most decisions do not touch the neighbours in the list.
const touchInterval = 100 * time.Millisecond

// advance returns the time to count with. It never goes back, because a bucket would then be filled
// twice for the same period.
func (t *tenantBuckets) advance(now time.Time) time.Time {
	if now.After(t.last) {
		t.last = now
	}
	return t.last
}

// touch moves c to the front of the list, unless that happened less than touchInterval ago.
func (t *tenantBuckets) touch(c *callerBucket) {
	if t.newest == c || t.last.Sub(c.used) < touchInterval {
		return
	}
	c.used = t.last
	t.unlink(c)
	c.older = t.newest
	if t.newest != nil {
		t.newest.newer = c
	}
	t.newest = c
	if t.oldest == nil {
		t.oldest = c
	}
}

// unlink removes c from the list, if it is in it.
func (t *tenantBuckets) unlink(c *callerBucket) {
	if c.newer != nil {
		c.newer.older = c.older
	} else if t.newest == c {
		t.newest = c.older
	}
	if c.older != nil {
		c.older.newer = c.newer
	} else if t.oldest == c {
		t.oldest = c.newer
	}
	c.newer, c.older = nil, nil
}

// evictFull drops up to n callers, the least recently used first. It stops at the first bucket that
// is not full. It returns how many it dropped.
func (t *tenantBuckets) evictFull(now time.Time, n int) (dropped int) {
	for ; dropped < n && t.oldest != nil && t.oldest.full(now); dropped++ {
		c := t.oldest
		t.unlink(c)
		delete(t.callers, c.key)
	}
	return dropped
}
