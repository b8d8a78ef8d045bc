package ratelimit

import "github.com/oryne/pgtenant/tenancy"

// The defaults of limits that are not set. A limit that was forgotten must not allow everything.
const (
	DefaultTenantPerSecond = 100 // requests of one tenant; DefaultBurst times that at once
	DefaultCallerPerSecond = 20  // requests of one caller; DefaultBurst times that at once
	DefaultBurst           = 2
)

// Policy holds the limits of a tenant. Policies can be compared with ==.
type Policy struct {
	// Tenant limits all requests of the tenant together. Default: [DefaultTenantPerSecond].
	Tenant Limit

	// Caller limits the requests of each caller, see [Query]. Default: [DefaultCallerPerSecond].
	Caller Limit
}

// or returns p with the limits that it does not set taken from d.
func (p Policy) or(d Policy) Policy {
	if p.Tenant.IsZero() {
		p.Tenant = d.Tenant
	}
	if p.Caller.IsZero() {
		p.Caller = d.Caller
	}
	return p
}

func (p Policy) withDefaults() Policy {
	return p.or(Policy{
		Tenant: PerSecond(DefaultTenantPerSecond).WithBurst(DefaultBurst * DefaultTenantPerSecond),
		Caller: PerSecond(DefaultCallerPerSecond).WithBurst(DefaultBurst * DefaultCallerPerSecond),
	})
}

// check returns p with its defaults, or a FieldError.
func (p Policy) check() (Policy, error) {
	p = p.withDefaults()
	if err := p.Tenant.validate("tenant"); err != nil {
		return Policy{}, err
	}
	if err := p.Caller.validate("caller"); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// Limits returns the policy of a tenant; [*Plans] implements it.
type Limits interface {
	// Policy returns the policy of t. It is called for each decision, so that a change applies from
	// the next request on. It must be fast and must not query anything. An error with a zero policy,
	// or an invalid policy, leaves the tenant with its previous policy, or with the default one. A
	// policy returned with an error is used. [Decision].Err then has a [PolicyError]. It must be safe
	// for concurrent use.
	Policy(t *tenancy.Tenant) (Policy, error)
}

// LimitsFunc adapts a function to [Limits].
type LimitsFunc func(t *tenancy.Tenant) (Policy, error)

// Policy calls f.
func (f LimitsFunc) Policy(t *tenancy.Tenant) (Policy, error) { return f(t) }
