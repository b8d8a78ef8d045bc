package ratelimit

import (
	"strconv"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// Query describes one request to a [Limiter].
type Query struct {
	// Tenant is the tenant of the request. Default: nil, the public site.
	Tenant *tenancy.Tenant

	// Caller identifies the caller within the tenant: a user, an API key or an address, see
	// [CallerFunc]. It must be authenticated: a client that can choose it gets a fresh bucket.
	// Default: "", only the tenant's limit applies.
	Caller string

	// Cost is the number of tokens that the request takes. Default: 0, which means one. A cost above
	// the capacity of a bucket is never allowed. A negative cost is [Undecided] with a
	// [tenancy.FieldError].
	Cost int
}

// Verdict is the outcome of a decision. The zero Verdict is [Undecided]: a request is served only
// if it is known to be allowed.
type Verdict int

const (
	// Undecided means that the [Store] could not decide. The request must not be served.
	Undecided Verdict = iota

	// Allowed means that the request is within the limits, or that the Store allows it without
	// counting.
	Allowed

	// Limited means that the request exceeds a limit.
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

// Scope identifies a limit.
type Scope int

const (
	// NoScope is the scope of a decision that no limit caused.
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

// Decision is the answer of a [Limiter].
type Decision struct {
	Verdict    Verdict
	Scope      Scope         // the limit that refused, if Limited; of two, the longer wait
	RetryAfter time.Duration // if Limited: when the request would be allowed; 0: never
	Policy     Policy        // the policy applied, with its defaults
	Tenant     BucketState   // the tenant's bucket
	Caller     BucketState   // the caller's bucket; zero if the query has no caller

	// Err reports what failed, whatever the verdict: a [PolicyError], the error of the [Store],
	// Result.Degraded, or a [tenancy.FieldError]. Several errors are joined. Nil: nothing failed.
	Err error

	applied *applied // the policy with its header
}

// setVerdict sets the verdict from the states of the buckets.
func (d *Decision) setVerdict() {
	tenant, caller := d.Tenant.Refused, d.Caller.Refused
	switch {
	case !tenant && !caller:
		d.Verdict = Allowed
	case tenant && (!caller || d.Tenant.Wait == 0 || d.Caller.Wait > 0 && d.Tenant.Wait > d.Caller.Wait):
		d.Verdict, d.Scope, d.RetryAfter = Limited, TenantScope, d.Tenant.Wait
	default:
		d.Verdict, d.Scope, d.RetryAfter = Limited, CallerScope, d.Caller.Wait
	}
}

// limit returns the limit that refused the request.
func (d *Decision) limit() Limit {
	if d.Scope == CallerScope {
		return d.Policy.Caller
	}
	return d.Policy.Tenant
}
