package tenancy

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrUnknownHost is returned by a resolver of package tenanthttp for a host that no tenant has.
	ErrUnknownHost = errors.New("unknown host")

	// ErrInvalidHost is wrapped by the [FieldError] of [NormalizeHost] and returned by a resolver of
	// package tenanthttp for what cannot be a host.
	ErrInvalidHost = errors.New("invalid host")

	// ErrDisagree is returned for a request that names two tenants, such as one by its host and
	// another by a header. Neither is taken: package tenanthttp answers 400.
	ErrDisagree = errors.New("request names more than one tenant")

	// ErrNotFound is returned by [Registry] and [Manager] for a tenant that does not exist.
	ErrNotFound = errors.New("tenant not found")

	// ErrSlugTaken is returned by [Manager.Create] and [Manager.Rename] when a tenant has the
	// slug already, whatever its status.
	ErrSlugTaken = errors.New("slug is taken")

	// ErrDomainTaken is returned by a [Manager] when another tenant has the domain already.
	ErrDomainTaken = errors.New("domain is taken")

	// ErrStatus is returned by a [Manager] for what a tenant's status does not allow; see
	// [StatusError].
	ErrStatus = errors.New("not possible in the tenant's status")

	// ErrConflict is wrapped by a [ConflictError], and by that of package platformuser.
	ErrConflict = errors.New("was changed by somebody else")

	// ErrBusy is what a [BusyError] wraps.
	ErrBusy = errors.New("another operation on the tenant has not ended")

	// ErrDomainNotFound is returned by a [Manager] for a domain that the tenant does not have.
	ErrDomainNotFound = errors.New("tenant does not have the domain")

	// ErrPrimaryDomain is returned by a [Manager] for a change after which a tenant that has a
	// primary domain would have none.
	ErrPrimaryDomain = errors.New("domain is the tenant's primary one")

	// ErrNotVerified is returned by [Manager.VerifyDomain] when the verifier has refused, and by
	// others for a domain that is only claimed.
	ErrNotVerified = errors.New("domain is not verified")

	// ErrTooManyClaims is returned by [Manager.ClaimDomain] for a tenant that has [MaxClaims] claims.
	ErrTooManyClaims = errors.New("tenant has too many claims of domains")

	// ErrLockLost is wrapped by the [StepError] of an operation whose lock of the tenant was lost with
	// its connection, as another operation may be at work on the tenant by then. The connection is
	// also closed if the context ends while the operation writes to the registry. The operation can be
	// run again.
	ErrLockLost = errors.New("lock of the tenant was lost")

	// ErrNested is returned by a [Manager] for an operation that takes a lock, from inside of another
	// one that holds one: from what is called meanwhile with its ctx, such as [Config].Seed, [Hooks]
	// or an [Approver]. It would wait for itself. Nothing was changed by it.
	ErrNested = errors.New("operation inside of another one")

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

// StatusError says that a tenant's status does not allow an operation, see [Op.Allowed]. It wraps
// [ErrStatus]. Nothing was changed.
type StatusError struct {
	Op     Op
	Slug   string // of the tenant
	Status Status // in which it is
}

// Error returns the operation, the tenant and its status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s tenant %q: %v: %s", e.Op, e.Slug, ErrStatus, e.Status)
}

// Unwrap returns [ErrStatus].
func (e *StatusError) Unwrap() error { return ErrStatus }

// ConflictError is returned by [Manager.Update] when the tenant is no longer the one that the
// caller has read. It wraps [ErrConflict]. Nothing was changed.
type ConflictError struct {
	Current Tenant // as it is now, to decide on again
	Version int64  // that the caller had read
}

// Error returns the tenant and both versions.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("update tenant %q: %v: version %d is now %d",
		e.Current.Slug, ErrConflict, e.Version, e.Current.Version)
}

// Unwrap returns [ErrConflict].
func (e *ConflictError) Unwrap() error { return ErrConflict }

// BusyError is returned for an operation that is not possible before another one on the tenant has
// ended. If that one has stopped, [Manager.Resume], or the same call again, ends it. It wraps
// [ErrBusy]. Nothing was changed.
type BusyError struct {
	Op     Op     // that was refused
	Tenant Tenant // its Operation is the one that has not ended
}

// Error returns the tenant and both operations.
func (e *BusyError) Error() string {
	o := e.Tenant.Operation
	return fmt.Sprintf("%s tenant %q: %v: %s, at step %q", e.Op, e.Tenant.Slug, ErrBusy, o.Op, o.Step)
}

// Unwrap returns [ErrBusy].
func (e *BusyError) Unwrap() error { return ErrBusy }

// StepError is returned when an operation of several steps stopped at one of them. What was done
// before stays, and the operation can be run again, by the same call or by [Manager.Resume].
type StepError struct {
	Op     Op
	Step   string // as in [StepData]
	Tenant Tenant // as it is now
	Host   string // the domain of an operation on one; else empty
	Err    error
}

func (e *StepError) Error() string {
	if e.Host != "" {
		return fmt.Sprintf("%s %q of tenant %q: %s: %v", e.Op, e.Host, e.Tenant.Slug, e.Step, e.Err)
	}
	return fmt.Sprintf("%s tenant %q: %s: %v", e.Op, e.Tenant.Slug, e.Step, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// InactiveError says that nothing is done for a tenant because of its status. [Serveable] returns
// it. It is the reason of a refusal of package tenanthttp, and an error of tenanttoken.Propagator.
type InactiveError struct {
	Slug   string
	Status Status
	Reason string    // as [Tenant] has it, for people
	Until  time.Time // likewise: when maintenance is expected to end
}

func (e *InactiveError) Error() string { return fmt.Sprintf("tenant %q is %s", e.Slug, e.Status) }

// QuarantineError says that nothing is done for an active tenant, because the program cannot work
// with its schema as it is: migrations are pending, have failed, or are those of a newer program.
// The Admit of package quarantine returns it, for tenanthttp.Routes, tenanttoken.PropagatorConfig
// and [ForEachOptions].
type QuarantineError struct {
	Slug, Schema string
	Reason       string        // a word, such as "behind"
	RetryAfter   time.Duration // what a client is told to wait; 0: not known
	Err          error         // what is known of the schema, for the program alone; may be nil
}

// Error returns the tenant, the reason and what is known.
func (e *QuarantineError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("tenant %q is in quarantine: %s", e.Slug, e.Reason)
	}
	return fmt.Sprintf("tenant %q is in quarantine: %s: %v", e.Slug, e.Reason, e.Err)
}

// Unwrap returns Err.
func (e *QuarantineError) Unwrap() error { return e.Err }

// ForEachError says that tenants failed in a [Manager.ForEach]. It wraps the error of the first.
type ForEachError struct {
	Failed  int           // tenants that failed
	Tenants int           // of so many in the report
	First   ForEachResult // by id
}

// Error returns the numbers and the first error.
func (e *ForEachError) Error() string {
	return fmt.Sprintf("%d of %d tenants failed, the first %q: %v", e.Failed, e.Tenants, e.First.Slug, e.First.Err)
}

// Unwrap returns the error of the first tenant that failed.
func (e *ForEachError) Unwrap() error { return e.First.Err }

// PanicError is the error of a tenant on which the work panicked.
type PanicError struct {
	Slug  string // of the tenant
	Value any    // what it panicked with
	Stack []byte // of the goroutine, as [debug.Stack] gives it
}

// Error returns the tenant and the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("tenant %q: panic: %v", e.Slug, e.Value) }

// Unwrap returns the value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
