package ratelimit

import (
	"iter"

	"github.com/oryne/pgtenant/tenancy"
)

// Stats counts decisions since the [Limiter] was created.
type Stats struct {
	Allowed         int64 // verdict [Allowed]
	LimitedByTenant int64 // verdict [Limited] by the limit of the tenant
	LimitedByCaller int64 // verdict [Limited] by the limit of a caller
	Undecided       int64 // verdict [Undecided]: the store failed, or the query was invalid
	Degraded        int64 // any verdict, without the shared store, see [Result].Degraded
	BadPolicies     int64 // any verdict, with an invalid policy, see [PolicyError]
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

// Stats returns the sums over all tenants and the public site.
func (l *Limiter) Stats() (s Stats) {
	for _, a := range l.accounts.all() {
		s.add(a.stats())
	}
	return s
}

// StatsByTenant yields the counts of each tenant that has made a request, with the tenant as last
// seen, in no particular order. A nil tenant is the public site. The tenants must not be modified.
func (l *Limiter) StatsByTenant() iter.Seq2[*tenancy.Tenant, Stats] {
	return func(yield func(*tenancy.Tenant, Stats) bool) {
		for _, a := range l.accounts.all() {
			if !yield(a.tenant.Load(), a.stats()) {
				return
			}
		}
	}
}
