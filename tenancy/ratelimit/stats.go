package ratelimit

import (
	"iter"

	"github.com/oryne/pgtenant/tenancy"
)

// Stats are numbers of decisions since the [Limiter] was made.
type Stats struct {
	Allowed         int64 // verdict [Allowed]
	LimitedByTenant int64 // verdict [Limited], by the limit of all the tenant's requests
	LimitedByCaller int64 // verdict [Limited], by that of one caller
	Undecided       int64 // verdict [Undecided]: the store could not tell, or the query made no sense
	Degraded        int64 // of whatever verdict, without the store that all processes share, see [Taken]
	BadPolicies     int64 // of whatever verdict, with limits that made no sense, see [PolicyError]
}

func (s *Stats) add(o Stats) {
	s.Allowed += o.Allowed
	s.LimitedByTenant += o.LimitedByTenant
	s.LimitedByCaller += o.LimitedByCaller
	s.Undecided += o.Undecided
	s.Degraded += o.Degraded
	s.BadPolicies += o.BadPolicies
}

func (a *account) stats() Stats {
	return Stats{
		Allowed:         a.allowed.Load(),
		LimitedByTenant: a.byTenant.Load(),
		LimitedByCaller: a.byCaller.Load(),
		Undecided:       a.undecided.Load(),
		Degraded:        a.degraded.Load(),
		BadPolicies:     a.policies.Load(),
	}
}

// Stats returns the numbers of all tenants and the public site together.
func (l *Limiter) Stats() (s Stats) {
	for _, a := range l.accounts.all() {
		s.add(a.stats())
	}
	return s
}

// StatsByTenant yields the numbers of each tenant that has asked since the start, as it was last
// seen, in no order; a nil tenant is the public site. The tenants must not be changed.
func (l *Limiter) StatsByTenant() iter.Seq2[*tenancy.Tenant, Stats] {
	return func(yield func(*tenancy.Tenant, Stats) bool) {
		for _, a := range l.accounts.all() {
			if !yield(a.tenant.Load(), a.stats()) {
				return
			}
		}
	}
}
