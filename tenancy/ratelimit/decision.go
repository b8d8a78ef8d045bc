package ratelimit

import (
	"strconv"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// Query is what a [Limiter] is asked.
type Query struct {
	// Tenant is whose request it is. Default: nil, the public site's.
	Tenant *tenancy.Tenant

	// Caller tells the tenant's callers apart: a user, an API key, an address, see [CallerFunc]. It
	// has to be proven: who can choose it chooses a fresh bucket. Default: "", the request counts for
	// the tenant alone.
	Caller string

	// Cost is how many tokens the request takes. Default: 0, one. What costs more than a bucket holds
	// is never allowed. A negative cost is refused: the answer is [Undecided] with a
	// [tenancy.FieldError].
	Cost int
}

// Verdict is what has been decided. The zero Verdict is [Undecided]: what is not known to be
// allowed is not served.
type Verdict int

const (
	// Undecided means that nobody knows: the [Store] could not tell. The request is not to be served.
	Undecided Verdict = iota

	// Allowed means that the request is within the limits, or that the Store lets it through
	// uncounted.
	Allowed

	// Limited means that the request is beyond a limit.
	Limited
)

// String returns "undecided", "allowed" or "limited".
func (v Verdict) String() string {
	switch v {
	case Undecided:
		return "undecided"
	case Allowed:
		return "allowed"
	case Limited:
		return "limited"
	}
	return "verdict " + strconv.Itoa(int(v))
}

// Scope says whose limit is meant.
type Scope int

const (
	// NoScope is that of a decision that no limit was the reason of.
	NoScope Scope = iota

	// TenantScope is the limit of all requests of a tenant together.
	TenantScope

	// CallerScope is the limit of one caller.
	CallerScope
)

// String returns "tenant", "caller", or "".
func (s Scope) String() string {
	switch s {
	case NoScope:
		return ""
	case TenantScope:
		return "tenant"
	case CallerScope:
		return "caller"
	}
	return "scope " + strconv.Itoa(int(s))
}

// Decision is what a [Limiter] answers.
type Decision struct {
	Verdict    Verdict
	By         Scope         // whose limit it was, if the verdict is [Limited]; the one to wait for longer if it was both
	RetryAfter time.Duration // if it is Limited: when the request would be allowed, if no other came; 0: never
	Policy     Policy        // by which it was decided, complete
	Tenant     Level         // of the tenant's bucket
	Caller     Level         // of the caller's; zero where the query has none

	// Err says what went wrong on the way, whatever the verdict: a [PolicyError], what the [Store]
	// returned or Taken.Degraded, a [tenancy.FieldError]; several are joined. Nil: nothing.
	Err error

	applied *applied // the policy with its header
}

// judge fills in the verdict from the levels.
func (d *Decision) judge() {
	tenant, caller := d.Tenant.Refused, d.Caller.Refused
	switch {
	case !tenant && !caller:
		d.Verdict = Allowed
	case tenant && (!caller || d.Tenant.Wait == 0 || d.Caller.Wait > 0 && d.Tenant.Wait > d.Caller.Wait):
		d.Verdict, d.By, d.RetryAfter = Limited, TenantScope, d.Tenant.Wait
	default:
		d.Verdict, d.By, d.RetryAfter = Limited, CallerScope, d.Caller.Wait
	}
}

// limit is that by which the request was refused.
func (d *Decision) limit() Limit {
	if d.By == CallerScope {
		return d.Policy.Caller
	}
	return d.Policy.Tenant
}
