package tenancy

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrUnknownHost is returned by a [Resolver] for a host that nobody has registered.
	ErrUnknownHost = errors.New("unknown host")

	// ErrInvalidHost is wrapped by the [FieldError] of [NormalizeHost] and returned by a
	// [Resolver] for what cannot be a host.
	ErrInvalidHost = errors.New("invalid host")

	// ErrDisagree is returned by a [Resolver] for a request that names two tenants, such as one by
	// its host and another by a header. Neither is taken: the answer is 400.
	ErrDisagree = errors.New("request names more than one tenant")

	// ErrNotFound is returned by [Registry] and [Manager] for a tenant that does not exist.
	ErrNotFound = errors.New("tenant not found")

	// ErrSlugTaken is returned by [Manager.Create] when a tenant has the slug already,
	// whatever its status.
	ErrSlugTaken = errors.New("slug is taken")

	// ErrDomainTaken is returned by [Manager.Create] when a tenant has the domain already.
	ErrDomainTaken = errors.New("domain is taken")

	// ErrStatus is returned by a [Manager] for what a tenant's status does not allow.
	ErrStatus = errors.New("not possible in the tenant's status")

	// ErrPlacement is returned by a [Manager] for a tenant on a server that it does not reach.
	ErrPlacement = errors.New("tenant is on another server")
)

// FieldError says which input was refused and why. Nothing was changed.
type FieldError struct {
	Field string // as in the parameter struct, in lower case: "slug"
	Value string // as given
	Rule  string // the rule it breaks, as the end of a sentence: "is longer than 63 bytes"
	Err   error  // a sentinel behind it, or nil
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s %q %s", e.Field, e.Value, e.Rule) }

func (e *FieldError) Unwrap() error { return e.Err }

// StepError is returned when an operation of several steps stopped at one of them. What was done
// before stays, and the operation can be run again; a create goes on with [Manager.Resume].
type StepError struct {
	Op     Op
	Step   string // as in [StepData]
	Tenant Tenant // as it is now
	Err    error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("%s tenant %q: %s: %v", e.Op, e.Tenant.Slug, e.Step, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// What a request or a token can be refused for.
var (
	// ErrNoSite is the reason of a [Refusal] on the wrong kind of site: see [RequireTenant], [RequirePublic] and [Routes].
	ErrNoSite = errors.New("no such site")

	// ErrNoTenant is returned by what works for a tenant and finds none: see [Key], [Carrier] and [Signer.BindSession].
	ErrNoTenant = errors.New("no tenant")

	// ErrForeignTenant is returned for a token that was made for another tenant, or for the public site where a tenant is,
	// or the other way round.
	ErrForeignTenant = errors.New("belongs to another tenant")

	// ErrBadToken is returned for a token that no key of the [Signer] has made for that purpose: malformed, tampered with,
	// or made for something else.
	ErrBadToken = errors.New("invalid token")

	// ErrTokenExpired is returned for a genuine token whose time is over.
	ErrTokenExpired = errors.New("token has expired")

	// ErrNoSession is the reason of a [Refusal] by [RequireSession] of a request that brings no token.
	ErrNoSession = errors.New("no session")
)

// InactiveError says that nothing is done for a tenant because of its status. It is the reason of a [Refusal], and
// returned by [Carrier.Extract].
type InactiveError struct {
	Slug   string
	Status Status
	Reason string    // as [Tenant] has it, for people
	Until  time.Time // likewise: when maintenance is expected to end
}

func inactive(t *Tenant) *InactiveError {
	return &InactiveError{Slug: t.Slug, Status: t.Status, Reason: t.Reason, Until: t.Until}
}

func (e *InactiveError) Error() string { return fmt.Sprintf("tenant %q is %s", e.Slug, e.Status) }
