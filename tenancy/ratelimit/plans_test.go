package ratelimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

func TestAChangedPlanHoldsForBucketsThatAreThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := plans(t, ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{
			"free": {Tenant: ratelimit.PerSecond(100), Caller: ratelimit.PerSecond(50)},
		}})
		l := newLimiter(t, ratelimit.Config{Limits: p})
		q := ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}
		expect(t, "before", allowed(l, q, 1000), 50)

		set := func(policy ratelimit.Policy) {
			check(t, p.Set(ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{"free": policy}}))
		}
		set(ratelimit.Policy{Tenant: ratelimit.PerSecond(10), Caller: ratelimit.PerSecond(5)})
		expect(t, "a change is no fresh bucket", allowed(l, q, 1000), 0)
		time.Sleep(time.Second)
		expect(t, "lowered", allowed(l, q, 1000), 5)
		set(ratelimit.Policy{Tenant: ratelimit.PerSecond(1000), Caller: ratelimit.PerSecond(1000)})
		expect(t, "raised, with what was left", allowed(l, q, 1000), 0) // from here on it fills by the new rate
		time.Sleep(time.Second)
		expect(t, "raised", allowed(l, q, 2000), 1000)
		set(ratelimit.Policy{Tenant: ratelimit.Nothing()})
		expect(t, "nothing", allowed(l, q, 10), 0)
		set(ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()})
		expect(t, "unlimited", allowed(l, q, 5000), 5000)

		err := p.Set(ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{"free": {Tenant: ratelimit.PerSecond(-1)}}})
		expectField(t, err, "tenant.requests")
		expect(t, "a bad change changes nothing", allowed(l, q, 5000), 5000)
	})
}

func TestATenantsOwnNumbersComeBeforeItsPlan(t *testing.T) {
	t.Parallel()
	p := plans(t, ratelimit.PlansConfig{
		Plans: map[string]ratelimit.Policy{
			"gold":     {Tenant: ratelimit.PerSecond(100).WithBurst(300)},
			"internal": {Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()},
		},
		Default: ratelimit.Policy{Tenant: ratelimit.PerSecond(5), Caller: ratelimit.PerSecond(2)},
	})
	for _, c := range []struct {
		plan    string
		numbers map[string]int64
		want    ratelimit.Policy
	}{
		{"gold", nil, ratelimit.Policy{Tenant: ratelimit.PerSecond(100).WithBurst(300), Caller: ratelimit.PerSecond(2)}},
		{"", nil, ratelimit.Policy{Tenant: ratelimit.PerSecond(5), Caller: ratelimit.PerSecond(2)}},
		{"nobody knows it", map[string]int64{"students": 7}, ratelimit.Policy{Tenant: ratelimit.PerSecond(5), Caller: ratelimit.PerSecond(2)}},
		{
			"gold",
			map[string]int64{ratelimit.TenantRate: 7, ratelimit.CallerRate: 3, ratelimit.CallerBurst: 9},
			ratelimit.Policy{Tenant: ratelimit.PerSecond(7), Caller: ratelimit.PerSecond(3).WithBurst(9)},
		},
		{
			"gold",
			map[string]int64{ratelimit.TenantBurst: 400},
			ratelimit.Policy{Tenant: ratelimit.PerSecond(100).WithBurst(400), Caller: ratelimit.PerSecond(2)},
		},
		{"gold", map[string]int64{ratelimit.TenantRate: 0}, ratelimit.Policy{Tenant: ratelimit.Nothing(), Caller: ratelimit.PerSecond(2)}},
		{"internal", map[string]int64{ratelimit.TenantBurst: 4}, ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()}},
		{"internal", map[string]int64{ratelimit.TenantRate: 4}, ratelimit.Policy{Tenant: ratelimit.PerSecond(4), Caller: ratelimit.Unlimited()}},
	} {
		got, err := p.Policy(&tenancy.Tenant{Plan: c.plan, Limits: c.numbers})
		check(t, err)
		expect(t, c.plan, got, c.want)
	}
	for _, name := range []string{ratelimit.TenantRate, ratelimit.TenantBurst, ratelimit.CallerRate, ratelimit.CallerBurst} {
		for _, n := range []int64{-1, ratelimit.MaxRequests + 1, 1 << 40} {
			got, err := p.Policy(&tenancy.Tenant{Plan: "gold", Limits: map[string]int64{name: n}})
			expectField(t, err, "limits."+name)
			expect(t, "with an error: the plan", got.Tenant, ratelimit.PerSecond(100).WithBurst(300))
		}
	}
}

func TestAPlanIsNotChangedBehindItsBack(t *testing.T) {
	t.Parallel()
	mine := map[string]ratelimit.Policy{"free": {Tenant: ratelimit.PerSecond(1)}}
	p := plans(t, ratelimit.PlansConfig{Plans: mine})
	mine["free"] = ratelimit.Policy{Tenant: ratelimit.Unlimited()}
	got, err := p.Policy(tenant(1))
	check(t, err)
	expect(t, "limit", got.Tenant, ratelimit.PerSecond(1))
}
