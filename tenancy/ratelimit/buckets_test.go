package ratelimit_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

func bounded(t testing.TB, p ratelimit.Policy, cfg ratelimit.BucketsConfig) (*ratelimit.Limiter, *ratelimit.Buckets) {
	t.Helper()
	b, err := ratelimit.NewBuckets(cfg)
	require.NoError(t, err)
	return newLimiter(t, ratelimit.Config{Limits: always(p), Store: b}), b
}

func caller(id int64, n int) ratelimit.Query {
	return ratelimit.Query{Tenant: tenant(id), Caller: "ip:" + strconv.Itoa(n)}
}

func TestAFloodOfCallersGivesNoCallerAFreshBucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.PerMinute(3)}
		l, b := bounded(t, p, ratelimit.BucketsConfig{MaxCallers: 10})
		assert.Equal(t, 3, allowed(l, caller(1, 0), 10), "the caller")
		crowd := 0
		for n := 1; n < 1000; n++ {
			crowd += allowed(l, caller(1, n), 10)
		}
		assert.Equal(t, 10*3, crowd, "nine buckets of their own and a shared one")
		assert.Equal(t, 0, allowed(l, caller(1, 0), 10), "the caller again")
		assert.Equal(t, ratelimit.BucketStats{Tenants: 1, Callers: 10, Crowded: 990 * 10}, b.Stats(), "buckets")
		assert.Equal(t, 3, allowed(l, caller(2, 0), 10), "a caller of another tenant")

		time.Sleep(time.Minute) // all buckets are full again and can be removed
		for n := 5000; n < 5010; n++ {
			assert.Equal(t, 3, allowed(l, caller(1, n), 10), "newcomer")
		}
		assert.Equal(t, int64(11), b.Stats().Callers, "callers")
	})
}

func TestTheLeastRecentlyUsedBucketIsDroppedFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.PerMinute(2)}
		l, b := bounded(t, p, ratelimit.BucketsConfig{MaxCallers: 2})
		allowed(l, caller(1, 1), 2)
		allowed(l, caller(1, 2), 2)
		time.Sleep(time.Minute)
		assert.Equal(t, 2, allowed(l, caller(1, 1), 5), "used again")
		assert.Equal(t, 2, allowed(l, caller(1, 3), 5), "a new caller in the place of the second")
		assert.Equal(t, 0, allowed(l, caller(1, 1), 5), "the first keeps its empty bucket")
		assert.Equal(t, ratelimit.BucketStats{Tenants: 1, Callers: 2}, b.Stats(), "callers")
	})
}

func TestTenantsDoNotShareTheRoomOfTheirCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.PerMinute(2)}
		l, b := bounded(t, p, ratelimit.BucketsConfig{MaxCallers: 10, MaxBuckets: 25})
		for n := range 500 {
			allowed(l, caller(1, n), 1)
			allowed(l, caller(2, n), 1)
		}
		for n := range 5 {
			assert.Equal(t, 2, allowed(l, caller(3, n), 5), "caller with few requests")
		}
		assert.Equal(t, int64(25), b.Stats().Callers, "callers at the bound")
		assert.Equal(t, 2, allowed(l, caller(4, 1), 5)+allowed(l, caller(4, 2), 5), "beyond the bound: shared")

		// The floods end, and the two tenants send no more requests. Their buckets are removed when
		// others need room.
		time.Sleep(2 * time.Minute)
		crowded := int64(-1)
		for range 5000 {
			before := b.Stats().Crowded
			for n := range 10 {
				l.Decide(context.Background(), caller(5, n))
			}
			if crowded = b.Stats().Crowded - before; crowded == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		assert.Zero(t, crowded, "new callers without room at the end")
	})
}

func TestIdleTenantsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, b := bounded(t, ratelimit.Policy{Tenant: ratelimit.PerSecond(5)}, ratelimit.BucketsConfig{})
		all := tenants(6000)
		for _, tn := range all[:2000] {
			l.Decide(t.Context(), ratelimit.Query{Tenant: tn})
		}
		time.Sleep(2 * time.Minute)
		for _, tn := range all[2000:] { // new tenants cause the removal of idle ones
			l.Decide(t.Context(), ratelimit.Query{Tenant: tn})
			time.Sleep(10 * time.Millisecond)
		}
		assert.LessOrEqual(t, b.Stats().Tenants, 4000, "tenants have buckets, of 4000 that are not idle")
		assert.Equal(t, 5, allowed(l, ratelimit.Query{Tenant: all[0]}, 100), "a tenant that returns")
	})
}

func TestTheNumberAllowedIsExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	p := ratelimit.Policy{Tenant: ratelimit.PerHour(1000), Caller: ratelimit.PerHour(150)}
	l, _ := bounded(t, p, ratelimit.BucketsConfig{MaxCallers: 50})
	var wg sync.WaitGroup
	var mu sync.Mutex
	sum := map[int64]int{}
	for g := range 16 {
		wg.Go(func() {
			for _, id := range []int64{1, 2, 3} {
				n := allowed(l, caller(id, g%8), 400)
				mu.Lock()
				sum[id] += n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, n := range sum {
		// the limit is a thousand per hour: one second of this test adds a third
		assert.GreaterOrEqual(t, n, 1000, "tenant %d: %d were allowed, want 1000", id, n)
		assert.LessOrEqual(t, n, 1001, "tenant %d: %d were allowed, want 1000", id, n)
	}
	s := l.Stats()
	assert.Equal(t, int64(3*16*400), s.Allowed+s.LimitedByTenant+s.LimitedByCaller, "decisions")
}

// Buckets are created and removed while others are used: no request is lost or blocked.
func TestConcurrentCreationAndRemovalOfBuckets(t *testing.T) {
	t.Parallel()
	l, b := bounded(t, ratelimit.Policy{Tenant: ratelimit.PerSecond(1_000_000), Caller: ratelimit.PerSecond(1_000_000)},
		ratelimit.BucketsConfig{MaxCallers: 3, MaxBuckets: 20})
	all := tenants(3000)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 6000 {
				q := ratelimit.Query{Tenant: all[(i*7+g*31)%len(all)], Caller: strconv.Itoa(i % 11)}
				d := l.Decide(context.Background(), q)
				assert.Equal(t, ratelimit.Allowed, d.Verdict, "verdict")
			}
		})
	}
	wg.Wait()
	n := b.Stats().Callers
	assert.LessOrEqual(t, n, int64(20), "%d callers have buckets, want 20 at most", n)
	assert.GreaterOrEqual(t, n, int64(0), "%d callers have buckets, want 20 at most", n)
}

func TestADecisionCostsNoAllocation(t *testing.T) {
	l := newLimiter(t, ratelimit.Config{Limits: plans(t, ratelimit.PlansConfig{})})
	for _, q := range []ratelimit.Query{{}, {Tenant: tenant(1)}, {Tenant: tenant(1), Caller: "user:1"}} {
		assert.Zero(t, testing.AllocsPerRun(1000, func() { l.Decide(context.Background(), q) }), "allocations")
	}
}
