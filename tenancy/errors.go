package tenancy

import (
	"errors"
	"fmt"
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
