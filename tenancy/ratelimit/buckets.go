package ratelimit

import (
	"cmp"
	"context"
	"hash/maphash"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// The defaults of [BucketsConfig].
const (
	DefaultMaxCallers = 1000
	DefaultMaxBuckets = 100_000
)

// BucketsConfig bounds [Buckets].
type BucketsConfig struct {
	// MaxCallers is the maximum number of callers of one tenant that have their own bucket at one
	// time. It keeps a tenant whose callers use many addresses from filling the store. Default:
	// [DefaultMaxCallers].
	MaxCallers int

	// MaxBuckets is the maximum number of callers of all tenants together that have their own bucket
	// at one time. Default: [DefaultMaxBuckets].
	MaxBuckets int
}

// Buckets is a [Store] that keeps token buckets of golang.org/x/time/rate in this process. A
// decision takes tokens from both of its buckets or from none. Buckets is safe for concurrent use.
// Tenants do not wait for each other.
//
// The number of buckets is bounded. A bucket that is full again equals a new one. When new callers
// need room, full buckets are dropped, the least recently used first. A bucket that is not full is
// never dropped, so that a caller cannot get a fresh bucket by crowding out its old one. Callers
// without room share one bucket per tenant, with a caller's limit. The buckets of the tenants
// themselves are not bounded: there is one for each tenant that is not idle.
//
// A caller is identified by a 64-bit hash with a random seed of this process. Names and API keys
// are not stored. Two callers of one tenant share a bucket if their hashes collide.
type Buckets struct {
	maxCallers int
	maxBuckets int64
	seed       maphash.Seed
	tenants    table[tenantBuckets]
	callers    atomic.Int64 // callers that have a bucket of their own
	crowded    atomic.Int64
	started    time.Time
	sweepAfter atomic.Int64 // nanoseconds from started
	sweepNext  atomic.Uint64
}

var _ Store = (*Buckets)(nil)

// NewBuckets returns a store in which all buckets are full. A negative bound is a
// [tenancy.FieldError].
func NewBuckets(cfg BucketsConfig) (*Buckets, error) {
	for field, n := range map[string]int{"max_callers": cfg.MaxCallers, "max_buckets": cfg.MaxBuckets} {
		if n < 0 {
			return nil, &tenancy.FieldError{Field: field, Value: strconv.Itoa(n), Rule: "is negative"}
		}
	}
	return &Buckets{
		maxCallers: cmp.Or(cfg.MaxCallers, DefaultMaxCallers),
		maxBuckets: int64(cmp.Or(cfg.MaxBuckets, DefaultMaxBuckets)),
		seed:       maphash.MakeSeed(),
		started:    time.Now(),
	}, nil
}

// BucketStats are figures about [Buckets].
type BucketStats struct {
	Tenants int   // tenants that have a bucket
	Callers int64 // callers that have a bucket of their own
	Crowded int64 // decisions so far that used the shared bucket
}

// Stats returns approximate current figures.
func (b *Buckets) Stats() BucketStats {
	s := BucketStats{Callers: b.callers.Load(), Crowded: b.crowded.Load()}
	for range b.tenants.all() {
		s.Tenants++
	}
	return s
}

// Allow implements [Store]. It does not block, ignores ctx, and returns no error.
func (b *Buckets) Allow(_ context.Context, k AllowRequest) (taken Result, _ error) {
	b.take(b.now(), &k, &taken)
	return taken, nil
}

// now returns the current time from the monotonic clock only, which costs half of [time.Now].
func (b *Buckets) now() time.Time { return b.started.Add(time.Since(b.started)) }

func (b *Buckets) take(now time.Time, k *AllowRequest, taken *Result) {
	t := b.lock(now, k.Tenant)
	defer t.mu.Unlock()
	now = t.advance(now)
	t.own.set(now, &k.Policy.Tenant)
	tokens, enough := t.own.peek(now, k.Cost)
	if k.Caller == "" {
		if enough {
			t.own.consume(now, k.Cost)
		}
		t.own.state(&taken.Tenant, tokens, k.Cost, enough, enough)
		return
	}
	c := b.caller(now, t, k)
	c.set(now, &k.Policy.Caller)
	callerTokens, callerEnough := c.peek(now, k.Cost)
	both := enough && callerEnough
	if both {
		t.own.consume(now, k.Cost)
		c.consume(now, k.Cost)
	}
	t.own.state(&taken.Tenant, tokens, k.Cost, enough, both)
	c.state(&taken.Caller, callerTokens, k.Cost, callerEnough, both)
}

// lock returns the buckets of a tenant with their lock held.
func (b *Buckets) lock(now time.Time, tenant int64) *tenantBuckets {
	t := b.tenants.get(tenant)
	if t == nil {
		b.sweep(now)
		t = b.tenants.make(tenant)
	}
	for {
		t.mu.Lock()
		if !t.gone {
			return t
		}
		t.mu.Unlock()
		t = b.tenants.make(tenant) // waits for the sweep that removes it
	}
}

// caller returns the bucket of the caller of k. The lock of t is held.
func (b *Buckets) caller(now time.Time, t *tenantBuckets, k *AllowRequest) *bucket {
	key := maphash.String(b.seed, k.Caller)
	if c := t.callers[key]; c != nil {
		t.touch(c)
		return &c.bucket
	}
	if k.Policy.Caller.kind != counted {
		return &t.others // nothing to count
	}
	if !b.reservePlace(now, t) {
		b.crowded.Add(1)
		return &t.others
	}
	c := &callerBucket{key: key}
	if t.callers == nil {
		t.callers = make(map[uint64]*callerBucket)
	}
	t.callers[key] = c
	t.touch(c)
	return &c.bucket
}

// reservePlace reserves a place for one more caller of t. If there is none, it takes the place of
// the tenant's least recently used caller, provided that this caller's bucket is full.
func (b *Buckets) reservePlace(now time.Time, t *tenantBuckets) bool {
	if len(t.callers) < b.maxCallers {
		if b.callers.Add(1) <= b.maxBuckets {
			return true
		}
		b.callers.Add(-1)
		b.sweep(now)
	}
	return t.evictFull(now, 1) == 1 // the new caller takes the freed place
}

// The interval of sweeps and the age at which buckets are dropped.
const (
	sweepInterval = 10 * time.Millisecond // at most one shard per interval
	idleAfter     = time.Minute           // without a request, full buckets of a tenant are dropped
)

// sweep drops idle buckets of one shard of the table, of the next shard in each call. It is called
// when a new bucket needs room.
func (b *Buckets) sweep(now time.Time) {
	at, due := int64(now.Sub(b.started)), b.sweepAfter.Load()
	if at < due || !b.sweepAfter.CompareAndSwap(due, at+int64(sweepInterval)) {
		return
	}
	crowded := b.callers.Load() >= b.maxBuckets
	b.tenants.remove(int((b.sweepNext.Add(1)-1)%shards), func(t *tenantBuckets) bool {
		if !t.mu.TryLock() { // in use, possibly by the caller of sweep
			return false
		}
		defer t.mu.Unlock()
		unused := now.Sub(t.last) > idleAfter
		if unused || crowded {
			b.callers.Add(-int64(t.evictFull(now, math.MaxInt)))
		}
		t.gone = unused && len(t.callers) == 0 && t.own.full(now) && t.others.full(now)
		return t.gone
	})
}
