package ratelimit

import (
	"sync"
	"time"
)

// tenantBuckets are the buckets of one tenant and of its callers.
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

// callerBucket is the bucket of one caller, in the list of its tenant's.
type callerBucket struct {
	newer, older *callerBucket
	used         time.Time // when it was made the newest
	bucket
	key uint64
}

// useEvery is how often a caller is made the newest at most: its place among those that nobody uses
// does not change by more, and its neighbours in the list, which are elsewhere in memory, are left
// alone.
const useEvery = 100 * time.Millisecond

// advance returns the time to count with, which never goes back: a bucket would be filled for the
// same time twice.
func (t *tenantBuckets) advance(now time.Time) time.Time {
	if now.After(t.last) {
		t.last = now
	}
	return t.last
}

// use makes c the newest, unless it was a moment ago.
func (t *tenantBuckets) use(c *callerBucket) {
	if t.newest == c || t.last.Sub(c.used) < useEvery {
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

// unlink takes c out of the list, if it is there.
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

// forget drops up to n callers from the oldest on, until one whose bucket is not full again:
// nothing is forgotten that would make a difference. It returns how many it has dropped.
func (t *tenantBuckets) forget(now time.Time, n int) (dropped int) {
	for ; dropped < n && t.oldest != nil && t.oldest.full(now); dropped++ {
		c := t.oldest
		t.unlink(c)
		delete(t.callers, c.key)
	}
	return dropped
}
