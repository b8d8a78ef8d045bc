package ratelimit

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/oryne/pgtenant/tenancy"
)

// The keys of [tenancy.Tenant].Limits that override the plan of the tenant. A rate of 0 is [Deny];
// use a plan for an unlimited tenant. A burst without a rate replaces the burst of the plan. A
// burst of 0 equals the rate.
const (
	TenantRate  = "requests_per_second"        // Policy.Tenant
	TenantBurst = "requests_burst"             // its Burst
	CallerRate  = "caller_requests_per_second" // Policy.Caller
	CallerBurst = "caller_requests_burst"      // its Burst
)

// PlansConfig configures [Plans].
type PlansConfig struct {
	// Plans maps [tenancy.Tenant].Plan to its policy. Limits that a policy does not set come from
	// Default.
	Plans map[string]Policy

	// Default is the policy of tenants without a plan, or with a plan that is not in Plans. Default:
	// the defaults of [Policy].
	Default Policy
}

// Plans implements [Limits]: it uses the plan of a tenant and the tenant's own numbers. A change in
// the registry applies as soon as the resolver has it, a [Plans.Set] from the next request on.
// Plans is safe for concurrent use.
type Plans struct {
	current atomic.Pointer[PlansConfig] // complete: no policy in it has a zero limit
}

var _ Limits = (*Plans)(nil)

// NewPlans returns plans. An invalid policy is a [tenancy.FieldError].
func NewPlans(cfg PlansConfig) (*Plans, error) {
	p := &Plans{}
	if err := p.Set(cfg); err != nil {
		return nil, err
	}
	return p, nil
}

// Set replaces all plans. An invalid policy is a [tenancy.FieldError] and changes nothing.
func (p *Plans) Set(cfg PlansConfig) error {
	fallback, err := cfg.Default.check()
	if err != nil {
		return fmt.Errorf("ratelimit: default plan: %w", err)
	}
	plans := maps.Clone(cfg.Plans)
	for name, policy := range plans {
		if plans[name], err = policy.or(fallback).check(); err != nil {
			return fmt.Errorf("ratelimit: plan %q: %w", name, err)
		}
	}
	p.current.Store(&PlansConfig{Plans: plans, Default: fallback})
	return nil
}

// Names returns the sorted names of the plans, for [tenancy.Config].Plans. It is safe for
// concurrent use.
func (p *Plans) Names() []string { return slices.Sorted(maps.Keys(p.current.Load().Plans)) }

// Policy returns the policy of the plan of t, overridden by the numbers of t. An invalid number is
// a [tenancy.FieldError] together with the policy of the plan.
func (p *Plans) Policy(t *tenancy.Tenant) (Policy, error) {
	cfg := p.current.Load()
	policy, ok := cfg.Plans[t.Plan]
	if !ok {
		policy = cfg.Default
	}
	if len(t.Limits) == 0 {
		return policy, nil
	}
	tenant, err := override(policy.Tenant, t.Limits, TenantRate, TenantBurst)
	if err != nil {
		return policy, err
	}
	caller, err := override(policy.Caller, t.Limits, CallerRate, CallerBurst)
	if err != nil {
		return policy, err
	}
	return Policy{Tenant: tenant, Caller: caller}, nil
}

// override returns l with the numbers of a tenant applied.
func override(l Limit, numbers map[string]int64, rate, burst string) (Limit, error) {
	r, hasRate := numbers[rate]
	b, hasBurst := numbers[burst]
	switch {
	case r < 0 || r > MaxRequests:
		return l, numberError(rate, r)
	case b < 0 || b > MaxRequests:
		return l, numberError(burst, b)
	case hasRate && r == 0:
		return Deny(), nil
	case hasRate:
		l = PerSecond(int(r))
	case l.kind != counted:
		return l, nil // a burst of what is not counted says nothing
	}
	if hasBurst {
		l.Burst = int(b)
	}
	return l, nil
}

func numberError(name string, n int64) error {
	return &tenancy.FieldError{
		Field: "limits." + name,
		Value: strconv.FormatInt(n, 10),
		Rule:  "is not between 0 and 1000000000",
	}
}
