package ratelimit

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/oryne/pgtenant/tenancy"
)

// The names in [tenancy.Tenant].Limits that come before what a tenant's plan says. A rate of 0 is
// [Nothing]: for what is unlimited there is a plan. A burst without a rate replaces the plan's, and
// one of 0 is as many as the rate.
const (
	TenantRate  = "requests_per_second"        // Policy.Tenant
	TenantBurst = "requests_burst"             // its Burst
	CallerRate  = "caller_requests_per_second" // Policy.Caller
	CallerBurst = "caller_requests_burst"      // its Burst
)

// PlansConfig says what each plan allows.
type PlansConfig struct {
	// Plans has a policy for each [tenancy.Tenant].Plan. What a policy does not say is as in Default.
	Plans map[string]Policy

	// Default is the policy of tenants with another plan or none. Default: that of a zero [Policy].
	Default Policy
}

// Plans are [Limits] by the tenant's plan and by its own numbers. A change of either in the
// registry holds as soon as the resolver knows it, a [Plans.Set] from the next request on. It is
// safe for concurrent use.
type Plans struct {
	current atomic.Pointer[PlansConfig] // complete: no policy in it has a zero limit
}

var _ Limits = (*Plans)(nil)

// NewPlans returns the limits of cfg. One that makes no sense is a [tenancy.FieldError].
func NewPlans(cfg PlansConfig) (*Plans, error) {
	p := &Plans{}
	if err := p.Set(cfg); err != nil {
		return nil, err
	}
	return p, nil
}

// Set replaces all plans. What makes no sense is a [tenancy.FieldError], and changes nothing.
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

// Names returns the names of the plans in order, for [tenancy.Config].Plans. It is safe for
// concurrent use.
func (p *Plans) Names() []string { return slices.Sorted(maps.Keys(p.current.Load().Plans)) }

// Policy returns the policy of t's plan with t's own numbers before it. A negative number is a
// [tenancy.FieldError], with the policy of the plan.
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

// override returns l with the numbers of a tenant before its own.
func override(l Limit, numbers map[string]int64, rate, burst string) (Limit, error) {
	r, hasRate := numbers[rate]
	b, hasBurst := numbers[burst]
	switch {
	case r < 0 || r > MaxRequests:
		return l, numberError(rate, r)
	case b < 0 || b > MaxRequests:
		return l, numberError(burst, b)
	case hasRate && r == 0:
		return Nothing(), nil
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
