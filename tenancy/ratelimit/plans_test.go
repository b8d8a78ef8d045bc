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

func TestAChangedPlanAppliesToExistingBuckets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := plans(t, ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{
			"free": {Tenant: ratelimit.PerSecond(100), Caller: ratelimit.PerSecond(50)},
		}})
		l := newLimiter(t, ratelimit.Config{Limits: p})
		q := ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}
		assert.Equal(t, 50, allowed(l, q, 1000), "before")

		set := func(policy ratelimit.Policy) {
			require.NoError(t, p.Set(ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{"free": policy}}))
		}
		set(ratelimit.Policy{Tenant: ratelimit.PerSecond(10), Caller: ratelimit.PerSecond(5)})
		assert.Equal(t, 0, allowed(l, q, 1000), "a change of the limit gave a fresh bucket")
		time.Sleep(time.Second)
		assert.Equal(t, 5, allowed(l, q, 1000), "lowered")
		set(ratelimit.Policy{Tenant: ratelimit.PerSecond(1000), Caller: ratelimit.PerSecond(1000)})
		assert.Equal(t, 0, allowed(l, q, 1000), "raised, with what was left") // from now on it fills at the new rate
		time.Sleep(time.Second)
		assert.Equal(t, 1000, allowed(l, q, 2000), "raised")
		set(ratelimit.Policy{Tenant: ratelimit.Deny()})
		assert.Equal(t, 0, allowed(l, q, 10), "nothing")
		set(ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()})
		assert.Equal(t, 5000, allowed(l, q, 5000), "unlimited")

		err := p.Set(ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{"free": {Tenant: ratelimit.PerSecond(-1)}}})
		expectField(t, err, "tenant.requests")
		assert.Equal(t, 5000, allowed(l, q, 5000), "a bad change changes nothing")
	})
}

func TestATenantsNumbersOverrideItsPlan(t *testing.T) {
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
		{
			"unknown",
			map[string]int64{"students": 7},
			ratelimit.Policy{Tenant: ratelimit.PerSecond(5), Caller: ratelimit.PerSecond(2)},
		},
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
		{
			"gold",
			map[string]int64{ratelimit.TenantRate: 0},
			ratelimit.Policy{Tenant: ratelimit.Deny(), Caller: ratelimit.PerSecond(2)},
		},
		{
			"internal",
			map[string]int64{ratelimit.TenantBurst: 4},
			ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.Unlimited()},
		},
		{
			"internal",
			map[string]int64{ratelimit.TenantRate: 4},
			ratelimit.Policy{Tenant: ratelimit.PerSecond(4), Caller: ratelimit.Unlimited()},
		},
	} {
		got, err := p.Policy(&tenancy.Tenant{Plan: c.plan, Limits: c.numbers})
		require.NoError(t, err)
		assert.Equal(t, c.want, got, c.plan)
	}
	for _, name := range []string{
		ratelimit.TenantRate, ratelimit.TenantBurst, ratelimit.CallerRate, ratelimit.CallerBurst,
	} {
		for _, n := range []int64{-1, ratelimit.MaxRequests + 1, 1 << 40} {
			got, err := p.Policy(&tenancy.Tenant{Plan: "gold", Limits: map[string]int64{name: n}})
			expectField(t, err, "limits."+name)
			assert.Equal(t, ratelimit.PerSecond(100).WithBurst(300), got.Tenant, "the plan, with an error")
		}
	}
}

func TestPlansAreCopied(t *testing.T) {
	t.Parallel()
	mine := map[string]ratelimit.Policy{"free": {Tenant: ratelimit.PerSecond(1)}}
	p := plans(t, ratelimit.PlansConfig{Plans: mine})
	mine["free"] = ratelimit.Policy{Tenant: ratelimit.Unlimited()}
	got, err := p.Policy(tenant(1))
	require.NoError(t, err)
	assert.Equal(t, ratelimit.PerSecond(1), got.Tenant, "limit")
}
