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

	// ErrNotFound is returned by [Registry] and [Manager] for a tenant that does not exist.
	ErrNotFound = errors.New("tenant not found")

	// ErrSlugTaken is returned by [Manager.Create] when a tenant has the slug already,
	// whatever its status.
	ErrSlugTaken = errors.New("slug is taken")

	// ErrDomainTaken is returned by [Manager.Create] when a tenant has the domain already.
	ErrDomainTaken = errors.New("domain is taken")

	// ErrStatus is returned by [Manager.Resume] for a tenant that is not being provisioned.
	ErrStatus = errors.New("not possible in the tenant's status")
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

// CreateError is returned when a tenant's row exists but a later step of its creation
// failed. The tenant stays in status provisioning, and [Manager.Resume] goes on with it.
type CreateError struct {
	Tenant Tenant
	Step   string // "schema", "migrate" or "activate"
	Err    error
}

func (e *CreateError) Error() string {
	return fmt.Sprintf("create tenant %q: %s: %v", e.Tenant.Slug, e.Step, e.Err)
}

func (e *CreateError) Unwrap() error { return e.Err }
