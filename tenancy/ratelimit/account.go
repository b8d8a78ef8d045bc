package ratelimit

import (
	"sync"
	"sync/atomic"

	"github.com/oryne/pgtenant/tenancy"
)

// account holds the state that a limiter keeps for one tenant: the policy in force and counters of
// its decisions.
type account struct {
	applied   atomic.Pointer[applied]
	tenant    atomic.Pointer[tenancy.Tenant] // the latest value; nil: the public site
	allowed   atomic.Int64
	byTenant  atomic.Int64
	byCaller  atomic.Int64
	undecided atomic.Int64
	degraded  atomic.Int64
	policies  atomic.Int64 // decisions with an invalid policy
}

// applied is a validated policy with its header values.
type applied struct {
	configured Policy // as the limits returned it
	policy     Policy // with defaults filled in
	header     string // RateLimit-Policy with both limits
	tenant     string // RateLimit-Policy with the tenant's limit only
}

func newApplied(configured Policy) (*applied, error) {
	policy, err := configured.check()
	if err != nil {
		return nil, err
	}
	tenant := string(appendPolicy(nil, TenantScope, policy.Tenant))
	both := string(appendPolicy([]byte(tenant), CallerScope, policy.Caller))
	return &applied{configured: configured, policy: policy, header: both, tenant: tenant}, nil
}

// policies caches the validated policies of all tenants. There are few distinct ones, so that
// decisions find them in the CPU cache.
type policies struct {
	mu sync.Mutex
	by map[Policy]*applied
}

// maxPolicies bounds the cache, because tenants may have limits of their own and these may change.
const maxPolicies = 1024

// find returns the validated policy for what the limits returned, or a FieldError.
func (p *policies) find(configured Policy) (*applied, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.by[configured]; found != nil {
		return found, nil
	}
	found, err := newApplied(configured)
	if err != nil {
		return nil, err
	}
	if p.by == nil || len(p.by) >= maxPolicies {
		p.by = make(map[Policy]*applied)
	}
	p.by[configured] = found
	return found, nil
}

// apply returns the policy in force for a tenant whose limits returned configured and err, and the
// error to report. Invalid limits leave the current policy in force.
func (a *account) apply(known *policies, configured *Policy, err error) (*applied, error) {
	current := a.applied.Load()
	if err == nil && current != nil && current.configured == *configured {
		return current, nil
	}
	if err == nil || *configured != (Policy{}) {
		next, bad := known.find(*configured)
		if bad == nil {
			a.applied.Store(next)
			current = next
		} else if err == nil {
			err = bad
		}
	}
	if err != nil {
		a.policies.Add(1)
	}
	if current == nil {
		current, _ = known.find(Policy{}) // the defaults are valid
	}
	return current, err
}

func (a *account) count(d *Decision) {
	switch {
	case d.Verdict == Allowed:
		a.allowed.Add(1)
	case d.Verdict == Undecided:
		a.undecided.Add(1)
	case d.Scope == CallerScope:
		a.byCaller.Add(1)
	default:
		a.byTenant.Add(1)
	}
}

func (a *account) setTenant(t *tenancy.Tenant) {
	if a.tenant.Load() != t {
		a.tenant.Store(t)
	}
}
