package ratelimit

import "github.com/oryne/pgtenant/tenancy"

// What stands for a limit that nobody has set. A limit that was forgotten is not one that allows
// everything.
const (
	DefaultTenantPerSecond = 100 // requests of one tenant; DefaultBurst times that at once
	DefaultCallerPerSecond = 20  // requests of one caller; DefaultBurst times that at once
	DefaultBurst           = 2
)

// Policy is what limits a tenant. Policies can be compared with ==.
type Policy struct {
	// Tenant limits all requests of the tenant together. Default: zero, [DefaultTenantPerSecond].
	Tenant Limit

	// Caller limits the requests of each of its callers, see [Query]. Default: zero,
	// [DefaultCallerPerSecond].
	Caller Limit
}

// or returns p with what it does not say taken from d.
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

// Limits says what limits a tenant; [*Plans] is one.
type Limits interface {
	// Policy returns the policy of t. It is asked for each decision, so that what it says holds from
	// the next request on: it must be fast and not query anything. A policy that makes no sense
	// changes nothing, nor does an error without a policy: the tenant keeps the policy that it had, or
	// has the default one. A policy beside an error is used. The decision has the error, see
	// [PolicyError]. It is safe for concurrent use.
	Policy(t *tenancy.Tenant) (Policy, error)
}

// LimitsFunc is a function as [Limits].
type LimitsFunc func(t *tenancy.Tenant) (Policy, error)

// Policy calls f.
func (f LimitsFunc) Policy(t *tenancy.Tenant) (Policy, error) { return f(t) }
