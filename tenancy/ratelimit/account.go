package ratelimit

import (
	"sync"
	"sync/atomic"

	"github.com/oryne/pgtenant/tenancy"
)

// account is what a limiter remembers of a tenant: the policy in force, and what it has decided.
type account struct {
	applied   atomic.Pointer[applied]
	tenant    atomic.Pointer[tenancy.Tenant] // as it was last seen; nil: the public site
	allowed   atomic.Int64
	byTenant  atomic.Int64
	byCaller  atomic.Int64
	undecided atomic.Int64
	degraded  atomic.Int64
	policies  atomic.Int64 // that made no sense
}

// applied is a policy that has been found to make sense.
type applied struct {
	said   Policy // as the limits say it
	policy Policy // complete
	header string // RateLimit-Policy with both limits
	tenant string // the same with the tenant's alone
}

func newApplied(said Policy) (*applied, error) {
	policy, err := said.check()
	if err != nil {
		return nil, err
	}
	tenant := string(appendPolicy(nil, TenantScope, policy.Tenant))
	both := string(appendPolicy([]byte(tenant), CallerScope, policy.Caller))
	return &applied{said: said, policy: policy, header: both, tenant: tenant}, nil
}

// policies has those of all tenants: there are few, and decisions find them in the processor's
// cache.
type policies struct {
	mu sync.Mutex
	by map[Policy]*applied
}

// maxPolicies bounds what is remembered: tenants may have limits of their own, and these may
// change.
const maxPolicies = 1024

// find returns the policy that the limits say, or a FieldError.
func (p *policies) find(said Policy) (*applied, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.by[said]; found != nil {
		return found, nil
	}
	found, err := newApplied(said)
	if err != nil {
		return nil, err
	}
	if p.by == nil || len(p.by) >= maxPolicies {
		p.by = make(map[Policy]*applied)
	}
	p.by[said] = found
	return found, nil
}

// apply returns what is in force for a tenant whose limits say this, and what is wrong with them.
func (a *account) apply(known *policies, said *Policy, err error) (*applied, error) {
	current := a.applied.Load()
	if err == nil && current != nil && current.said == *said {
		return current, nil
	}
	if err == nil || *said != (Policy{}) {
		next, bad := known.find(*said)
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
		current, _ = known.find(Policy{}) // the defaults make sense
	}
	return current, err
}

func (a *account) count(d *Decision) {
	switch {
	case d.Verdict == Allowed:
		a.allowed.Add(1)
	case d.Verdict == Undecided:
		a.undecided.Add(1)
	case d.By == CallerScope:
		a.byCaller.Add(1)
	default:
		a.byTenant.Add(1)
	}
}

func (a *account) see(t *tenancy.Tenant) {
	if a.tenant.Load() != t {
		a.tenant.Store(t)
	}
}
