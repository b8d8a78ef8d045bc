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
	// MaxCallers is how many callers of one tenant have a bucket of their own at a time. It keeps a
	// tenant whose callers have many addresses from taking the room of all. Default:
	// [DefaultMaxCallers].
	MaxCallers int

	// MaxBuckets is how many callers have a bucket of their own at a time, of all tenants together.
	// Default: [DefaultMaxBuckets].
	MaxBuckets int
}

// Buckets are token buckets in this process, of golang.org/x/time/rate: a [Store]. A decision takes
// from both of its buckets or from none. They are safe for concurrent use; tenants do not wait for
// each other.
//
// Their number is bounded. A bucket that is full again is as good as a new one: those are dropped,
// the longest unused first, when others come. One that is not full is never dropped, so that nobody
// gets a fresh bucket by crowding out his own. A caller for whom there is no room shares a bucket,
// of a caller's limit, with the others of the same tenant for whom there is none. The buckets of
// tenants themselves are as many as tenants that are not idle.
//
// A caller is known by a hash of 64 bits under a key of this process: no name and no API key is
// kept. Two callers of one tenant share a bucket where their hashes are the same.
type Buckets struct {
	maxCallers int
	maxBuckets int64
	seed       maphash.Seed
	tenants    table[tenantBuckets]
	callers    atomic.Int64 // that have a bucket of their own
	crowded    atomic.Int64
	started    time.Time
	sweepAfter atomic.Int64 // nanoseconds from started
	sweepNext  atomic.Uint64
}

var _ Store = (*Buckets)(nil)

// NewBuckets returns buckets, all full. Negative bounds are a [tenancy.FieldError].
func NewBuckets(cfg BucketsConfig) (*Buckets, error) {
	for field, n := range map[string]int{"maxCallers": cfg.MaxCallers, "maxBuckets": cfg.MaxBuckets} {
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

// BucketStats say how full [Buckets] are.
type BucketStats struct {
	Tenants int   // that have a bucket
	Callers int64 // that have a bucket of their own
	Crowded int64 // decisions so far on callers for whom there was no room
}

// Stats returns the numbers at about this moment.
func (b *Buckets) Stats() BucketStats {
	s := BucketStats{Callers: b.callers.Load(), Crowded: b.crowded.Load()}
	for range b.tenants.all() {
		s.Tenants++
	}
	return s
}

// Take is a [Store]'s. It does not block, ignores ctx, and returns no error.
func (b *Buckets) Take(_ context.Context, k Take) (taken Taken, _ error) {
	b.take(b.now(), &k, &taken)
	return taken, nil
}

// now is [time.Now] by the monotonic clock alone, which costs half.
func (b *Buckets) now() time.Time { return b.started.Add(time.Since(b.started)) }

func (b *Buckets) take(now time.Time, k *Take, taken *Taken) {
	t := b.lock(now, k.Tenant)
	defer t.mu.Unlock()
	now = t.advance(now)
	t.own.set(now, &k.Policy.Tenant)
	tokens, enough := t.own.look(now, k.Cost)
	if k.Caller == "" {
		if enough {
			t.own.take(now, k.Cost)
		}
		t.own.level(&taken.Tenant, tokens, k.Cost, enough, enough)
		return
	}
	c := b.caller(now, t, k)
	c.set(now, &k.Policy.Caller)
	callerTokens, callerEnough := c.look(now, k.Cost)
	both := enough && callerEnough
	if both {
		t.own.take(now, k.Cost)
		c.take(now, k.Cost)
	}
	t.own.level(&taken.Tenant, tokens, k.Cost, enough, both)
	c.level(&taken.Caller, callerTokens, k.Cost, callerEnough, both)
}

// lock returns the buckets of a tenant, locked.
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
		t = b.tenants.make(tenant) // waits for the sweep that has taken it
	}
}

// caller returns the bucket of k's caller. t is locked.
func (b *Buckets) caller(now time.Time, t *tenantBuckets, k *Take) *bucket {
	key := maphash.String(b.seed, k.Caller)
	if c := t.callers[key]; c != nil {
		t.use(c)
		return &c.bucket
	}
	if k.Policy.Caller.kind != counted {
		return &t.others // there is nothing to remember
	}
	if !b.room(now, t) {
		b.crowded.Add(1)
		return &t.others
	}
	c := &callerBucket{key: key}
	if t.callers == nil {
		t.callers = make(map[uint64]*callerBucket)
	}
	t.callers[key] = c
	t.use(c)
	return &c.bucket
}

// room takes a place for one more caller of t, its own longest unused one's if there has to be one,
// and if that one does not matter any more.
func (b *Buckets) room(now time.Time, t *tenantBuckets) bool {
	if len(t.callers) < b.maxCallers {
		if b.callers.Add(1) <= b.maxBuckets {
			return true
		}
		b.callers.Add(-1)
		b.sweep(now)
	}
	return t.forget(now, 1) == 1 // the place goes from one to the other
}

// What a sweep looks for, and what is spent on it.
const (
	sweepEvery = 10 * time.Millisecond // at most, one list of the table
	idle       = time.Minute           // without a request: the tenant's buckets go, if they are full
)

// sweep drops what is idle in one part of the table, the next one each time. It is called when
// something new needs room.
func (b *Buckets) sweep(now time.Time) {
	at, due := int64(now.Sub(b.started)), b.sweepAfter.Load()
	if at < due || !b.sweepAfter.CompareAndSwap(due, at+int64(sweepEvery)) {
		return
	}
	crowded := b.callers.Load() >= b.maxBuckets
	b.tenants.remove(int((b.sweepNext.Add(1)-1)%shards), func(t *tenantBuckets) bool {
		if !t.mu.TryLock() { // in use, or by this very call
			return false
		}
		defer t.mu.Unlock()
		unused := now.Sub(t.last) > idle
		if unused || crowded {
			b.callers.Add(-int64(t.forget(now, math.MaxInt)))
		}
		t.gone = unused && len(t.callers) == 0 && t.own.full(now) && t.others.full(now)
		return t.gone
	})
}
