package ratelimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

func TestLimitsThatMakeNoSenseAreRefused(t *testing.T) {
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
		{Per: time.Second}, // says how, but not how many
		ratelimit.PerSecond(ratelimit.MaxRequests + 1), ratelimit.PerSecond(1).WithBurst(ratelimit.MaxRequests + 1),
		{Requests: 1, Per: ratelimit.MaxPer + 1},
		{Requests: 1, Per: ratelimit.MinPer - 1},
	} {
		if _, err := ratelimit.NewPlans(ratelimit.PlansConfig{Default: ratelimit.Policy{Caller: l}}); err == nil {
			t.Errorf("%v was taken", l)
		}
	}
	_, err := ratelimit.New(ratelimit.Config{})
	if err == nil {
		t.Error("a limiter without limits was made")
	}
	_, err = ratelimit.NewBuckets(ratelimit.BucketsConfig{MaxCallers: -1})
	expectField(t, err, "maxCallers")
	_, err = ratelimit.NewBuckets(ratelimit.BucketsConfig{MaxBuckets: -1})
	expectField(t, err, "maxBuckets")
}

func TestZeroNothingAndUnlimitedAreThreeThings(t *testing.T) {
	t.Parallel()
	q := ratelimit.Query{Tenant: tenant(1)}
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		zero := limiter(t, ratelimit.Policy{})
		expect(t, "zero", allowed(zero, q, n), ratelimit.DefaultBurst*ratelimit.DefaultTenantPerSecond)
		q.Caller = "user:1"
		expect(t, "zero, a caller", allowed(limiter(t, ratelimit.Policy{}), q, n), ratelimit.DefaultBurst*ratelimit.DefaultCallerPerSecond)
		for _, p := range []ratelimit.Policy{
			{Tenant: ratelimit.Nothing(), Caller: ratelimit.Unlimited()}, {Tenant: ratelimit.Unlimited(), Caller: ratelimit.Nothing()},
		} {
			l := limiter(t, p)
			expect(t, "nothing", allowed(l, q, n), 0)
			d := l.Decide(t.Context(), q)
			expect(t, "nothing: wait", d.RetryAfter, 0)
			expect(t, "nothing: verdict", d.Verdict, ratelimit.Limited)
		}
		free := limiter(t, ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()})
		expect(t, "unlimited", allowed(free, q, n), n)
	})
	for l, want := range map[ratelimit.Limit]string{
		{}: "not set", ratelimit.Nothing(): "nothing", ratelimit.Unlimited(): "unlimited",
		ratelimit.PerMinute(90).WithBurst(5): "90 per 1m0s, 5 at once", ratelimit.PerHour(7): "7 per 1h0m0s, 7 at once",
	} {
		expect(t, "text", l.String(), want)
	}
}

func TestABucketEmptiesAndFillsAgainEvenly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit ratelimit.Limit
		one   time.Duration // until there is one more
	}{
		{ratelimit.PerSecond(10), 100 * time.Millisecond},
		{ratelimit.PerMinute(7).WithBurst(3), 8571428572},
		{ratelimit.PerHour(1), time.Hour},
		{ratelimit.PerSecond(3), 333333334},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, q := limiter(t, ratelimit.Policy{Tenant: c.limit}), ratelimit.Query{Tenant: tenant(1)}
			expect(t, "at once", allowed(l, q, 100), c.limit.Capacity())
			for range 5 {
				d := l.Decide(t.Context(), q)
				expect(t, "verdict", d.Verdict, ratelimit.Limited)
				expect(t, "by", d.By, ratelimit.TenantScope)
				if over := d.RetryAfter - c.one; over < -10 || over > 10 { // nanoseconds
					t.Errorf("%v: try again after %v, want %v", c.limit, d.RetryAfter, c.one)
				}
				time.Sleep(d.RetryAfter - 20*time.Nanosecond)
				expect(t, "too early", allowed(l, q, 1), 0)
				time.Sleep(20 * time.Nanosecond)
				expect(t, "after the wait", allowed(l, q, 2), 1)
			}
			time.Sleep(c.limit.Refill())
			expect(t, "full again", allowed(l, q, 100), c.limit.Capacity())
		})
	}
}

func TestTenantsAndCallersHaveBucketsOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerMinute(10), Caller: ratelimit.PerMinute(4)})
		ask := func(id int64, caller string) int {
			return allowed(l, ratelimit.Query{Tenant: tenant(id), Caller: caller}, 20)
		}
		expect(t, "first caller", ask(1, "user:1"), 4)
		expect(t, "second caller", ask(1, "user:2"), 4)
		expect(t, "third caller, with what the tenant has left", ask(1, "user:3"), 2)
		expect(t, "first caller in another tenant", ask(2, "user:1"), 4)
		expect(t, "the public site", allowed(l, ratelimit.Query{}, 1000), ratelimit.DefaultBurst*ratelimit.DefaultTenantPerSecond)
	})
}

func TestWhatIsRefusedCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerMinute(10), Caller: ratelimit.PerMinute(4)})
		flood := ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}
		expect(t, "flood", allowed(l, flood, 1000), 4)
		d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Caller: "user:2", Cost: 5})
		expect(t, "by", d.By, ratelimit.CallerScope)
		expect(t, "left to the tenant", d.Tenant.Remaining, 6)
		expect(t, "left to the caller", d.Caller.Remaining, 4)
		d = l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Caller: "user:2"})
		expect(t, "left to the tenant", d.Tenant.Remaining, 5)
		expect(t, "left to the caller", d.Caller.Remaining, 3)
	})
}

func TestRequestsMayCostMoreThanOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ratelimit.Policy{Tenant: ratelimit.PerSecond(1).WithBurst(10)})
		q := ratelimit.Query{Tenant: tenant(1), Cost: 4}
		expect(t, "exports", allowed(l, q, 5), 2)
		d := l.Decide(t.Context(), q)
		expect(t, "wait", d.RetryAfter, 2*time.Second)
		expect(t, "more than the bucket holds", l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Cost: 11}).RetryAfter, 0)
		expect(t, "left", d.Tenant.Remaining, 2)

		d = l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Cost: -5})
		expect(t, "a negative cost", d.Verdict, ratelimit.Undecided)
		expectField(t, d.Err, "cost")
		expect(t, "a negative cost gives nothing", allowed(l, ratelimit.Query{Tenant: tenant(1)}, 5), 2)
	})
}

func TestAPolicyThatMakesNoSenseKeepsTheLastThatDid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit := ratelimit.PerMinute(-1)
		l := newLimiter(t, ratelimit.Config{Limits: ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) {
			return ratelimit.Policy{Tenant: limit}, nil
		})})
		q := ratelimit.Query{Tenant: tenant(1)}
		d := l.Decide(t.Context(), q)
		expectIs(t, d.Err, ratelimit.ErrPolicy)
		expectField(t, d.Err, "tenant.requests")
		expect(t, "at first: the default", d.Policy.Tenant.Requests, ratelimit.DefaultTenantPerSecond)
		limit = ratelimit.PerMinute(3)
		d = l.Decide(t.Context(), q)
		check(t, d.Err)
		expect(t, "a good one", d.Policy.Tenant, limit)
		limit = ratelimit.PerMinute(-5)
		d = l.Decide(t.Context(), q)
		expectIs(t, d.Err, ratelimit.ErrPolicy)
		expect(t, "then: the last good one", d.Policy.Tenant, ratelimit.PerMinute(3))
		expect(t, "and it holds", allowed(l, q, 100), 1)
		expect(t, "counted", l.Stats().BadPolicies, 102)
	})
}

func TestABadNumberOfATenantLeavesItItsPlan(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, ratelimit.Config{Limits: plans(t, ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{
		"free": {Tenant: ratelimit.PerHour(3)},
	}})})
	tn := tenant(1)
	tn.Limits = map[string]int64{ratelimit.TenantRate: -1}
	d := l.Decide(t.Context(), ratelimit.Query{Tenant: tn})
	expectIs(t, d.Err, ratelimit.ErrPolicy)
	expectField(t, d.Err, "limits.requests_per_second")
	expect(t, "limit", d.Policy.Tenant, ratelimit.PerHour(3))
	expect(t, "allowed", allowed(l, ratelimit.Query{Tenant: tn}, 10), 2)
}

func TestLimitsThatFailKeepTheLastThatDidNot(t *testing.T) {
	t.Parallel()
	policy, fails := ratelimit.Policy{Tenant: ratelimit.PerHour(3)}, error(nil)
	l := newLimiter(t, ratelimit.Config{Limits: ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) {
		return policy, fails
	})})
	expect(t, "before", allowed(l, ratelimit.Query{Tenant: tenant(1)}, 1), 1)
	policy, fails = ratelimit.Policy{}, errStore
	d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1)})
	expectIs(t, d.Err, errStore)
	expect(t, "limit", d.Policy.Tenant, ratelimit.PerHour(3))
}
