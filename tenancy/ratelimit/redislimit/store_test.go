package redislimit_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/ratelimit/redislimit"
)

func TestProcessesShareTheirLimits(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	policy := always(ratelimit.Policy{Tenant: ratelimit.PerHour(100), Caller: ratelimit.PerHour(30)})
	var wg sync.WaitGroup
	var yes, ann atomic.Int64
	for range 4 { // processes
		l := newLimiter(t, newStore(t, s, patient), policy)
		wg.Go(func() {
			for range 50 {
				d := l.Decide(context.Background(), ratelimit.Query{Tenant: tenant(1)})
				assert.NoError(t, d.Err)
				if d.Verdict == ratelimit.Allowed {
					yes.Add(1)
				}
				if l.Decide(
					context.Background(),
					ratelimit.Query{Tenant: tenant(2), Caller: "user:ann"},
				).Verdict == ratelimit.Allowed {
					ann.Add(1)
				}
			}
		})
	}
	wg.Wait()
	// The limit is a hundred per hour: if this test takes half a minute, it may see one more.
	n := yes.Load()
	assert.GreaterOrEqual(t, n, int64(100), "%d requests of the tenant were allowed, want 100", n)
	assert.LessOrEqual(t, n, int64(101), "%d requests of the tenant were allowed, want 100", n)
	n = ann.Load()
	assert.GreaterOrEqual(t, n, int64(30), "%d requests of the caller were allowed, want 30", n)
	assert.LessOrEqual(t, n, int64(31), "%d requests of the caller were allowed, want 30", n)
}

func TestRemainingTokensAreThoseOfATokenBucket(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, newStore(t, startRedis(t), patient),
		always(ratelimit.Policy{Tenant: ratelimit.PerHour(10).WithBurst(5), Caller: ratelimit.PerHour(4)}))
	q := ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}
	d := l.Decide(t.Context(), q)
	require.NoError(t, d.Err)
	assert.Equal(t, 4, d.Tenant.Remaining, "remaining tokens of the tenant")
	assert.Equal(t, 3, d.Caller.Remaining, "remaining tokens of the caller")
	near(t, "the tenant's next", d.Tenant.Next, 6*time.Minute)
	near(t, "the caller's next", d.Caller.Next, 15*time.Minute)
	assert.Equal(t, 3, allowed(t, l, q, 10), "the caller")
	d = l.Decide(t.Context(), q)
	assert.Equal(t, ratelimit.CallerScope, d.Scope, "by")
	near(t, "wait", d.RetryAfter, 15*time.Minute)
	assert.Equal(t, true, d.Tenant.Unknown, "the tenant is not asked")

	q.Caller = "user:2"
	assert.Equal(t, 1, allowed(t, l, q, 3), "remaining tokens of the tenant, of which the flood took none")
	d = l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Cost: 2})
	assert.Equal(t, ratelimit.TenantScope, d.Scope, "by")
	near(t, "wait for two", d.RetryAfter, 12*time.Minute)
	d = l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Cost: 6})
	assert.Zero(t, d.RetryAfter, "more than the bucket holds")
	assert.Equal(t, ratelimit.Limited, d.Verdict, "verdict")
}

// near allows for the duration of the test.
func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	assert.LessOrEqual(t, got, want+time.Second, "%s: got %v, want %v", what, got, want)
	assert.GreaterOrEqual(t, got, want-2*time.Minute, "%s: got %v, want %v", what, got, want)
}

func TestABucketRefillsByTheClockOfRedis(t *testing.T) {
	t.Parallel()
	l := newLimiter(
		t,
		newStore(t, startRedis(t), patient),
		always(ratelimit.Policy{Tenant: ratelimit.PerSecond(20).WithBurst(1)}),
	)
	q := ratelimit.Query{Tenant: tenant(1)}
	for range 5 {
		until(t, "there is a token", func() bool { return l.Decide(t.Context(), q).Verdict == ratelimit.Allowed })
	}
	s := l.Stats()
	assert.NotZero(t, s.LimitedByTenant, "%+v: no request had to wait", s)
	assert.Zero(t, s.Degraded, "%+v: no request had to wait", s)
}

func TestDenyAndUnlimitedNeedNoBucket(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	store := newStore(t, s, patient)
	q := ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}
	for _, c := range []struct {
		policy ratelimit.Policy
		want   int
	}{
		{ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()}, 20},
		{ratelimit.Policy{Tenant: ratelimit.Deny(), Caller: ratelimit.Unlimited()}, 0},
		{ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Deny()}, 0},
	} {
		assert.Equal(t, c.want, allowed(t, newLimiter(t, store, always(c.policy)), q, 20), c.policy.Tenant.String())
	}
	n, err := s.client(t, &redis.Options{}).DBSize(t.Context()).Result()
	require.NoError(t, err)
	assert.Zero(t, n, "keys")
}

func TestAChangedLimitAppliesAtOnce(t *testing.T) {
	t.Parallel()
	limit := ratelimit.PerHour(3)
	l := newLimiter(t, newStore(t, startRedis(t), patient), func(*tenancy.Tenant) (ratelimit.Policy, error) {
		return ratelimit.Policy{Tenant: limit}, nil
	})
	q := ratelimit.Query{Tenant: tenant(1)}
	assert.Equal(t, 3, allowed(t, l, q, 10), "before")
	limit = ratelimit.PerHour(5) // with GCRA, the empty bucket of the old limit would be full in an hour
	assert.Equal(t, 5, allowed(t, l, q, 10), "raised")
	limit = ratelimit.PerHour(2)
	assert.Equal(t, 2, allowed(t, l, q, 10), "lowered")
}

func TestKeysContainNoNamesAndExpire(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	admin := s.client(t, &redis.Options{})
	policy := always(ratelimit.Policy{Tenant: ratelimit.PerHour(10), Caller: ratelimit.PerHour(5)})
	evil := "key:secret:*}{\x00\r\nDEL x " + strings.Repeat("long", 1000)
	hashes := map[string]bool{}
	for _, cfg := range []redislimit.Config{
		{Namespace: "one", Timeout: patient.Timeout},
		{Namespace: "two", Timeout: patient.Timeout},
		{Namespace: "three", Secret: []byte("s"), Timeout: patient.Timeout},
		{Namespace: "four", Secret: []byte("t"), Timeout: patient.Timeout},
	} {
		l := newLimiter(t, newStore(t, s, cfg), policy)
		for id := range int64(2) {
			assert.Equal(t, 5, allowed(t, l, ratelimit.Query{Tenant: tenant(id + 1), Caller: evil}, 9), "allowed")
		}
		keys, err := admin.Keys(t.Context(), "rate:"+cfg.Namespace+":*").Result()
		require.NoError(t, err)
		assert.Len(t, keys, 4, "keys")
		for _, key := range keys {
			parts := strings.Split(key, ":")
			if parts[3] == "t" {
				assert.Len(t, parts, 5, "parts of a tenant's key")
				continue
			}
			assert.Len(t, parts, 6, "parts of a caller's key")
			assert.Len(t, parts[4], 32, "hash of a caller in %q", key)
			assert.NotContains(t, key, "secret")
			hashes[parts[4]] = true
			ttl, err := admin.TTL(t.Context(), key).Result()
			require.NoError(t, err)
			assert.Positive(t, ttl, "%s: lives for %v", key, ttl)
			assert.LessOrEqual(t, ttl, time.Hour+time.Second, "%s: lives for %v", key, ttl)
		}
	}
	assert.Len(t, hashes, 8, "hashes: one for each tenant, namespace and secret")
}

func TestInvalidConfigurationsAreRefused(t *testing.T) {
	t.Parallel()
	heeding := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	t.Cleanup(func() { require.NoError(t, heeding.Close()) })
	for field, cfg := range map[string]redislimit.Config{
		"namespace": {Namespace: "a:b"}, "fallback": {Fallback: 7}, "timeout": {Timeout: -1}, "pause": {Pause: -1},
	} {
		_, err := redislimit.New(heeding, cfg)
		expectField(t, err, field)
	}
	for _, client := range []redis.UniversalClient{
		redis.NewClient(&redis.Options{}), redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}}),
		redis.NewRing(&redis.RingOptions{HeartbeatFrequency: time.Hour}),
	} {
		_, err := redislimit.New(client, redislimit.Config{})
		expectField(t, err, "client")
		require.NoError(t, client.Close())
	}
	_, err := redislimit.New(nil, redislimit.Config{})
	assert.Error(t, err, "a nil client was accepted")
}
