package ratelimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

func TestInvalidLimitsAreRefused(t *testing.T) {
	t.Parallel()
	for field, l := range map[string]ratelimit.Limit{
		"tenant.requests": ratelimit.PerSecond(-1),
		"tenant.burst":    ratelimit.PerSecond(1).WithBurst(-1),
		"tenant.per":      {Requests: 1, Per: -time.Second},
	} {
		_, err := ratelimit.New(ratelimit.Config{Limits: always(ratelimit.Policy{}), Public: ratelimit.Policy{Tenant: l}})
		expectField(t, err, field)
		_, err = ratelimit.NewPlans(ratelimit.PlansConfig{Default: ratelimit.Policy{Tenant: l}})
		expectField(t, err, field)
		_, err = ratelimit.NewPlans(ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{"gold": {Tenant: l}}})
		expectField(t, err, field)
	}
	for _, l := range []ratelimit.Limit{
		{Burst: 5},
		{Per: time.Second}, // a period without a number
		ratelimit.PerSecond(ratelimit.MaxRequests + 1), ratelimit.PerSecond(1).WithBurst(ratelimit.MaxRequests + 1),
		{Requests: 1, Per: ratelimit.MaxPer + 1},
		{Requests: 1, Per: ratelimit.MinPer - 1},
	} {
		_, err := ratelimit.NewPlans(ratelimit.PlansConfig{Default: ratelimit.Policy{Caller: l}})
		assert.Error(t, err, "%v was taken", l)
	}
	_, err := ratelimit.New(ratelimit.Config{})
	assert.Error(t, err, "a limiter without limits was created")
	_, err = ratelimit.NewBuckets(ratelimit.BucketsConfig{MaxCallers: -1})
	expectField(t, err, "max_callers")
	_, err = ratelimit.NewBuckets(ratelimit.BucketsConfig{MaxBuckets: -1})
	expectField(t, err, "max_buckets")
}

func TestZeroDenyAndUnlimitedDiffer(t *testing.T) {
	t.Parallel()
	q := ratelimit.Query{Tenant: tenant(1)}
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		zero := limiter(t, ratelimit.Policy{})
		assert.Equal(t, ratelimit.DefaultBurst*ratelimit.DefaultTenantPerSecond, allowed(zero, q, n), "zero")
		q.Caller = "user:1"
		assert.Equal(t, ratelimit.DefaultBurst*ratelimit.DefaultCallerPerSecond,
			allowed(limiter(t, ratelimit.Policy{}), q, n),
			"zero, a caller")
		for _, p := range []ratelimit.Policy{
			{Tenant: ratelimit.Deny(), Caller: ratelimit.Unlimited()}, {Tenant: ratelimit.Unlimited(), Caller: ratelimit.Deny()},
		} {
			l := limiter(t, p)
			assert.Equal(t, 0, allowed(l, q, n), "nothing")
			d := l.Decide(t.Context(), q)
			assert.Zero(t, d.RetryAfter, "Deny: wait")
			assert.Equal(t, ratelimit.Limited, d.Verdict, "Deny: verdict")
		}
		free := limiter(t, ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()})
		assert.Equal(t, n, allowed(free, q, n), "unlimited")
	})
	for l, want := range map[ratelimit.Limit]string{
		{}: "not set", ratelimit.Deny(): "nothing", ratelimit.Unlimited(): "unlimited",
		ratelimit.PerMinute(90).WithBurst(5): "90 per 1m0s, 5 at once", ratelimit.PerHour(7): "7 per 1h0m0s, 7 at once",
	} {
		assert.Equal(t, want, l.String(), "text")
	}
}

func TestABucketDrainsAndRefillsEvenly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit ratelimit.Limit
		one   time.Duration // the time until there is one more
	}{
		{ratelimit.PerSecond(10), 100 * time.Millisecond},
		{ratelimit.PerMinute(7).WithBurst(3), 8571428572},
		{ratelimit.PerHour(1), time.Hour},
		{ratelimit.PerSecond(3), 333333334},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, q := limiter(t, ratelimit.Policy{Tenant: c.limit}), ratelimit.Query{Tenant: tenant(1)}
			assert.Equal(t, c.limit.Capacity(), allowed(l, q, 100), "at once")
			for range 5 {
				d := l.Decide(t.Context(), q)
				assert.Equal(t, ratelimit.Limited, d.Verdict, "verdict")
				assert.Equal(t, ratelimit.TenantScope, d.Scope, "by")
				// within a few nanoseconds
				over := d.RetryAfter - c.one
				assert.True(t, over >= -10 && over <= 10, "%v: try again after %v, want %v", c.limit, d.RetryAfter, c.one)
				time.Sleep(d.RetryAfter - 20*time.Nanosecond)
				assert.Equal(t, 0, allowed(l, q, 1), "too early")
				time.Sleep(20 * time.Nanosecond)
				assert.Equal(t, 1, allowed(l, q, 2), "after the wait")
			}
			time.Sleep(c.limit.Refill())
			assert.Equal(t, c.limit.Capacity(), allowed(l, q, 100), "full again")
		})
	}
}

func TestTenantsAndCallersHaveSeparateBuckets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerMinute(10), Caller: ratelimit.PerMinute(4)})
		ask := func(id int64, caller string) int {
			return allowed(l, ratelimit.Query{Tenant: tenant(id), Caller: caller}, 20)
		}
		assert.Equal(t, 4, ask(1, "user:1"), "first caller")
		assert.Equal(t, 4, ask(1, "user:2"), "second caller")
		assert.Equal(t, 2, ask(1, "user:3"), "third caller, with the remaining tokens of the tenant")
		assert.Equal(t, 4, ask(2, "user:1"), "first caller in another tenant")
		assert.Equal(t, ratelimit.DefaultBurst*ratelimit.DefaultTenantPerSecond, allowed(l, ratelimit.Query{}, 1000),
			"the public site")
	})
}

func TestARefusedRequestTakesNoTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerMinute(10), Caller: ratelimit.PerMinute(4)})
		flood := ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}
		assert.Equal(t, 4, allowed(l, flood, 1000), "flood")
		d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Caller: "user:2", Cost: 5})
		assert.Equal(t, ratelimit.CallerScope, d.Scope, "by")
		assert.Equal(t, 6, d.Tenant.Remaining, "remaining tokens of the tenant")
		assert.Equal(t, 4, d.Caller.Remaining, "remaining tokens of the caller")
		d = l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Caller: "user:2"})
		assert.Equal(t, 5, d.Tenant.Remaining, "remaining tokens of the tenant")
		assert.Equal(t, 3, d.Caller.Remaining, "remaining tokens of the caller")
	})
}

func TestRequestsMayCostMoreThanOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerSecond(1).WithBurst(10)})
		q := ratelimit.Query{Tenant: tenant(1), Cost: 4}
		assert.Equal(t, 2, allowed(l, q, 5), "exports")
		d := l.Decide(t.Context(), q)
		assert.Equal(t, 2*time.Second, d.RetryAfter, "wait")
		assert.Zero(t, l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Cost: 11}).RetryAfter,
			"more than the bucket holds")
		assert.Equal(t, 2, d.Tenant.Remaining, "left")

		d = l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Cost: -5})
		assert.Zero(t, d.Verdict, "a negative cost")
		expectField(t, d.Err, "cost")
		assert.Equal(t, 2, allowed(l, ratelimit.Query{Tenant: tenant(1)}, 5), "a negative cost added tokens")
	})
}

func TestAnInvalidPolicyKeepsThePreviousOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit := ratelimit.PerMinute(-1)
		l := newLimiter(t, ratelimit.Config{Limits: ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) {
			return ratelimit.Policy{Tenant: limit}, nil
		})})
		q := ratelimit.Query{Tenant: tenant(1)}
		d := l.Decide(t.Context(), q)
		assert.ErrorIs(t, d.Err, ratelimit.ErrPolicy)
		expectField(t, d.Err, "tenant.requests")
		assert.Equal(t, ratelimit.DefaultTenantPerSecond, d.Policy.Tenant.Requests, "the default at first")
		limit = ratelimit.PerMinute(3)
		d = l.Decide(t.Context(), q)
		require.NoError(t, d.Err)
		assert.Equal(t, limit, d.Policy.Tenant, "a valid policy")
		limit = ratelimit.PerMinute(-5)
		d = l.Decide(t.Context(), q)
		assert.ErrorIs(t, d.Err, ratelimit.ErrPolicy)
		assert.Equal(t, ratelimit.PerMinute(3), d.Policy.Tenant, "the last valid policy")
		assert.Equal(t, 1, allowed(l, q, 100), "the new policy applies")
		assert.Equal(t, int64(102), l.Stats().BadPolicies, "counted")
	})
}

func TestAnInvalidNumberOfATenantKeepsItsPlan(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, ratelimit.Config{Limits: plans(t, ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{
		"free": {Tenant: ratelimit.PerHour(3)},
	}})})
	tn := tenant(1)
	tn.Limits = map[string]int64{ratelimit.TenantRate: -1}
	d := l.Decide(t.Context(), ratelimit.Query{Tenant: tn})
	assert.ErrorIs(t, d.Err, ratelimit.ErrPolicy)
	expectField(t, d.Err, "limits.requests_per_second")
	assert.Equal(t, ratelimit.PerHour(3), d.Policy.Tenant, "limit")
	assert.Equal(t, 2, allowed(l, ratelimit.Query{Tenant: tn}, 10), "allowed")
}

func TestFailingLimitsKeepThePreviousPolicy(t *testing.T) {
	t.Parallel()
	policy, fails := ratelimit.Policy{Tenant: ratelimit.PerHour(3)}, error(nil)
	l := newLimiter(t, ratelimit.Config{Limits: ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) {
		return policy, fails
	})})
	assert.Equal(t, 1, allowed(l, ratelimit.Query{Tenant: tenant(1)}, 1), "before")
	policy, fails = ratelimit.Policy{}, errStore
	d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1)})
	assert.ErrorIs(t, d.Err, errStore)
	assert.Equal(t, ratelimit.PerHour(3), d.Policy.Tenant, "limit")
}
