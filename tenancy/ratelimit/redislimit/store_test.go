package redislimit_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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
				if d.Err != nil {
					t.Error(d.Err)
				}
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
	// An hour brings a hundred: this test may see one more, if it takes half a minute.
	if n := yes.Load(); n < 100 || n > 101 {
		t.Errorf("%d requests of the tenant were allowed, want 100", n)
	}
	if n := ann.Load(); n < 30 || n > 31 {
		t.Errorf("%d requests of the caller were allowed, want 30", n)
	}
}

func TestLevelsAreThoseOfATokenBucket(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, newStore(t, startRedis(t), patient),
		always(ratelimit.Policy{Tenant: ratelimit.PerHour(10).WithBurst(5), Caller: ratelimit.PerHour(4)}))
	q := ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}
	d := l.Decide(t.Context(), q)
	check(t, d.Err)
	expect(t, "left to the tenant", d.Tenant.Remaining, 4)
	expect(t, "left to the caller", d.Caller.Remaining, 3)
	near(t, "the tenant's next", d.Tenant.Next, 6*time.Minute)
	near(t, "the caller's next", d.Caller.Next, 15*time.Minute)
	expect(t, "the caller", allowed(t, l, q, 10), 3)
	d = l.Decide(t.Context(), q)
	expect(t, "by", d.By, ratelimit.CallerScope)
	near(t, "wait", d.RetryAfter, 15*time.Minute)
	expect(t, "the tenant is not asked", d.Tenant.Unknown, true)

	q.Caller = "user:2"
	expect(t, "what the tenant has left: a flood has taken nothing of it", allowed(t, l, q, 3), 1)
	d = l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Cost: 2})
	expect(t, "by", d.By, ratelimit.TenantScope)
	near(t, "wait for two", d.RetryAfter, 12*time.Minute)
	d = l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Cost: 6})
	expect(t, "more than the bucket holds", d.RetryAfter, 0)
	expect(t, "verdict", d.Verdict, ratelimit.Limited)
}

// near allows for the time that the test takes.
func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got > want+time.Second || got < want-2*time.Minute {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestABucketFillsAgainByTheClockOfRedis(t *testing.T) {
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
	if s := l.Stats(); s.LimitedByTenant == 0 || s.Degraded != 0 {
		t.Errorf("%+v: no request had to wait", s)
	}
}

func TestNothingAndUnlimitedNeedNoBucket(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	store := newStore(t, s, patient)
	q := ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}
	for _, c := range []struct {
		policy ratelimit.Policy
		want   int
	}{
		{ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()}, 20},
		{ratelimit.Policy{Tenant: ratelimit.Nothing(), Caller: ratelimit.Unlimited()}, 0},
		{ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Nothing()}, 0},
	} {
		expect(t, c.policy.Tenant.String(), allowed(t, newLimiter(t, store, always(c.policy)), q, 20), c.want)
	}
	n, err := s.client(t, &redis.Options{}).DBSize(t.Context()).Result()
	check(t, err)
	expect(t, "keys", n, 0)
}

func TestAChangedLimitHoldsAtOnce(t *testing.T) {
	t.Parallel()
	limit := ratelimit.PerHour(3)
	l := newLimiter(t, newStore(t, startRedis(t), patient), func(*tenancy.Tenant) (ratelimit.Policy, error) {
		return ratelimit.Policy{Tenant: limit}, nil
	})
	q := ratelimit.Query{Tenant: tenant(1)}
	expect(t, "before", allowed(t, l, q, 10), 3)
	limit = ratelimit.PerHour(5) // GCRA's time of an empty bucket of the old limit would be an hour
	expect(t, "raised", allowed(t, l, q, 10), 5)
	limit = ratelimit.PerHour(2)
	expect(t, "lowered", allowed(t, l, q, 10), 2)
}

func TestKeysTellNothingAndGoAway(t *testing.T) {
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
			expect(t, "allowed", allowed(t, l, ratelimit.Query{Tenant: tenant(id + 1), Caller: evil}, 9), 5)
		}
		keys, err := admin.Keys(t.Context(), "rate:"+cfg.Namespace+":*").Result()
		check(t, err)
		expect(t, "keys", len(keys), 4)
		for _, key := range keys {
			parts := strings.Split(key, ":")
			switch {
			case parts[3] == "t":
				expect(t, "parts of a tenant's key", len(parts), 5)
			case len(parts[4]) != 32 || len(parts) != 6 || strings.Contains(key, "secret"):
				t.Errorf("key %q", key)
			default:
				hashes[parts[4]] = true
			}
			ttl, err := admin.TTL(t.Context(), key).Result()
			check(t, err)
			if ttl <= 0 || ttl > time.Hour+time.Second {
				t.Errorf("%s: lives for %v", key, ttl)
			}
		}
	}
	expect(t, "hashes: one for each tenant, namespace and secret", len(hashes), 8)
}

func TestAConfigurationThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	heeding := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	t.Cleanup(func() { check(t, heeding.Close()) })
	for field, cfg := range map[string]redislimit.Config{
		"namespace": {Namespace: "a:b"}, "away": {Away: 7}, "timeout": {Timeout: -1}, "pause": {Pause: -1},
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
		check(t, client.Close())
	}
	if _, err := redislimit.New(nil, redislimit.Config{}); err == nil {
		t.Error("no client was taken")
	}
}
