package tenancy

import (
	"errors"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/internal/registrydb"
)

var (
	// ErrUnknownHost is returned by a resolver of package tenanthttp for a host that no tenant has.
	ErrUnknownHost = errors.New("unknown host")

	// ErrInvalidHost is wrapped by the [FieldError] of [NormalizeHost]. A resolver of package
	// tenanthttp returns it for a value that cannot be a host.
	ErrInvalidHost = errors.New("invalid host")

	// ErrAmbiguousTenant is returned for a request that names two tenants, such as one by its host and
	// another by a header. Package tenanthttp chooses neither and answers 400.
	ErrAmbiguousTenant = errors.New("request names more than one tenant")

	// ErrNotFound is returned by [Registry] and [Manager] for a tenant that does not exist.
	ErrNotFound = errors.New("tenant not found")

	// ErrSlugTaken is returned by [Manager.Create] and [Manager.Rename] when another tenant, in any
	// status, has the slug.
	ErrSlugTaken = errors.New("slug is taken")

	// ErrDomainTaken is returned by a [Manager] when another tenant has verified the domain.
	ErrDomainTaken = errors.New("domain is taken")

	// ErrStatus is returned by a [Manager] for an operation that the tenant's status does not allow.
	// [StatusError] wraps it.
	ErrStatus = errors.New("not possible in the tenant's status")

	// ErrConflict is wrapped by [ConflictError] and by the ConflictError of package platformuser.
	ErrConflict = errors.New("was changed since it was read")

	// ErrBusy is wrapped by [BusyError].
	ErrBusy = errors.New("another operation on the tenant has not ended")

	// ErrDomainNotFound is returned by a [Manager] for a domain that the tenant does not have.
	ErrDomainNotFound = errors.New("tenant does not have the domain")

	// ErrPrimaryDomain is returned by a [Manager] for a change that would leave a tenant that has a
	// primary domain without one.
	ErrPrimaryDomain = errors.New("domain is the tenant's primary one")

	// ErrNotVerified is returned by [Manager.VerifyDomain] when the verifier refuses, and by other
	// methods for a domain that is only claimed.
	ErrNotVerified = errors.New("domain is not verified")

	// ErrTooManyClaims is returned by [Manager.ClaimDomain] for a tenant that has [MaxClaims] claims.
	ErrTooManyClaims = errors.New("tenant has too many claims of domains")

	// ErrLockLost is wrapped by the [StepError] of an operation that has lost the tenant's lock
	// together with its connection. Another operation may work on the tenant by then. The connection
	// is also closed if the context ends while the operation writes to the registry. The operation can
	// be run again.
	ErrLockLost = errors.New("lock of the tenant was lost")

	// ErrNested is returned by a [Manager] for an operation that takes a lock inside another operation
	// that holds one. This happens in functions that are called with the operation's ctx, such as
	// [Config].Seed, [Hooks] or an [Approver]. The inner operation would wait for itself. It changed
	// nothing.
	ErrNested = errors.New("operation inside of another one")

	// ErrPlacement is returned by a [Manager] for a tenant on a server that it cannot reach.
	ErrPlacement = errors.New("tenant is on another server")
)

// FieldError says which input was refused and why. Nothing was changed.
type FieldError struct {
	Field string // the field or parameter in snake case: "slug", "new_primary", "spill.dir"
	Value string // as the caller gave it
	Rule  string // the rule it breaks, as the end of a sentence: "is longer than 63 bytes"
	Err   error  // the sentinel error that it wraps, or nil
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s %q %s", e.Field, e.Value, e.Rule) }

func (e *FieldError) Unwrap() error { return e.Err }

// StatusError says that a tenant's status does not allow an operation, see [Op.Allowed]. It wraps
// [ErrStatus]. Nothing was changed.
type StatusError struct {
	Op     Op
	Slug   string // the tenant's slug
	Status Status // the tenant's current status
}

// Error returns the operation, the tenant and its status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s tenant %q: %v: %s", e.Op, e.Slug, ErrStatus, e.Status)
}

// Unwrap returns [ErrStatus].
func (e *StatusError) Unwrap() error { return ErrStatus }

// ConflictError is returned by [Manager.Update] when the tenant's row has changed since the caller
// read it. It wraps [ErrConflict]. Nothing was changed.
type ConflictError struct {
	Current Tenant // the current row, for a new decision
	Version int64  // the version that the caller had read
}

// Error returns the tenant and both versions.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("update tenant %q: %v: version %d is now %d",
		e.Current.Slug, ErrConflict, e.Version, e.Current.Version)
}

// Unwrap returns [ErrConflict].
func (e *ConflictError) Unwrap() error { return ErrConflict }

// BusyError is returned for an operation that is refused because another operation on the tenant
// has not ended. If that operation has stopped, [Manager.Resume], or the same call again, continues
// it. It wraps [ErrBusy]. Nothing was changed.
type BusyError struct {
	Op     Op     // the operation that was refused
	Tenant Tenant // its Operation has not ended
}

// Error returns the tenant and both operations.
func (e *BusyError) Error() string {
	o := e.Tenant.Operation
	return fmt.Sprintf("%s tenant %q: %v: %s, at step %q", e.Op, e.Tenant.Slug, ErrBusy, o.Op, o.Step)
}

// Unwrap returns [ErrBusy].
func (e *BusyError) Unwrap() error { return ErrBusy }

// StepError is returned when an operation of several steps failed at one of them. The earlier steps
// stay done, and the operation can be run again, by the same call or by [Manager.Resume].
type StepError struct {
	Op     Op
	Step   string // the name of the step, see [StepData]
	Tenant Tenant // the tenant's current row
	Host   string // the domain, for an operation on a domain; else empty
	Err    error
}

func (e *StepError) Error() string {
	if e.Host != "" {
		return fmt.Sprintf("%s %q of tenant %q: %s: %v", e.Op, e.Host, e.Tenant.Slug, e.Step, e.Err)
	}
	return fmt.Sprintf("%s tenant %q: %s: %v", e.Op, e.Tenant.Slug, e.Step, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// InactiveError says that a request or a job of a tenant is refused because of the tenant's status.
// [Serveable] and tenanttoken.Propagator return it. Package tenanthttp uses it as the reason of a
// refusal.
type InactiveError struct {
	Slug   string
	Status Status
	Reason string    // Reason of [Tenant], for people
	Until  time.Time // Until of [Tenant]: when maintenance is expected to end
}

func (e *InactiveError) Error() string { return fmt.Sprintf("tenant %q is %s", e.Slug, e.Status) }

// QuarantineError says that an active tenant is refused, because the program cannot work with its
// schema: migrations are pending, have failed, or belong to a newer program. The Admit of package
// quarantine returns it, for tenanthttp.Routes, tenanttoken.PropagatorConfig and [ForEachOptions].
type QuarantineError struct {
	Slug, Schema string
	Reason       string        // a word, such as "behind"
	RetryAfter   time.Duration // how long a client is told to wait; 0: not known
	Err          error         // details of the schema's state, only for the program; may be nil
}

// Error returns the tenant, the reason and Err.
func (e *QuarantineError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("tenant %q is in quarantine: %s", e.Slug, e.Reason)
	}
	return fmt.Sprintf("tenant %q is in quarantine: %s: %v", e.Slug, e.Reason, e.Err)
}

// Unwrap returns Err.
func (e *QuarantineError) Unwrap() error { return e.Err }

// ForEachError says that tenants failed in a [Manager.ForEach]. It wraps the error of the first
// one.
type ForEachError struct {
	Failed  int           // number of tenants that failed
	Tenants int           // number of tenants in the report
	First   ForEachResult // the failed tenant with the lowest id
}

// Error returns both numbers and the first error.
func (e *ForEachError) Error() string {
	return fmt.Sprintf("%d of %d tenants failed, the first %q: %v", e.Failed, e.Tenants, e.First.Slug, e.First.Err)
}

// Unwrap returns the error of the first tenant that failed.
func (e *ForEachError) Unwrap() error { return e.First.Err }

// PanicError is the error of a tenant for which fn or Admit panicked in [Manager.ForEach].
type PanicError struct {
	Slug  string // the tenant's slug
	Value any    // the value of the panic
	Stack []byte // the goroutine's stack, as [debug.Stack] returns it
}

// Error returns the tenant and the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("tenant %q: panic: %v", e.Slug, e.Value) }

// Unwrap returns the value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var (
	// ErrDropDisabled is returned by the methods that request, approve or run a drop if
	// [DropConfig].Enabled is not set.
	ErrDropDisabled = errors.New("dropping tenants is disabled")

	// ErrDropToken is returned by [Manager.Drop] for a token that was not issued for this tenant and
	// this actor, or that was used. The error does not say which.
	ErrDropToken = errors.New("drop token is not valid")

	// ErrDropExpired is returned by [Manager.Drop] for a valid token that has expired, and by
	// [Manager.ApproveDrop] for a request that has expired.
	ErrDropExpired = errors.New("drop request has expired")

	// ErrDropRequest is returned by [Manager.DropRequest] and [Manager.ApproveDrop] for a request that
	// does not exist. ApproveDrop also returns it for a request that was used.
	ErrDropRequest = errors.New("no such drop request")

	// ErrDropNotApproved is returned by [Manager.Drop] if a second person or the [Approver] has not
	// approved.
	ErrDropNotApproved = errors.New("drop is not approved")

	// ErrSelfApproval is returned by [Manager.ApproveDrop] for the person who has made the request.
	ErrSelfApproval = errors.New("the person who requests a drop cannot approve it")

	// ErrNoFreshBackup is wrapped by [BackupError].
	ErrNoFreshBackup = errors.New("no fresh backup")
)

// BackupError is returned by [Manager.Drop] and [Manager.ConfirmReplacement] if the last backup of
// the tenant, or of its retained schema, is missing or too old. It wraps [ErrNoFreshBackup].
// Nothing was changed.
type BackupError struct {
	Slug   string
	Schema string        // the retained schema that lacks the backup; empty: the tenant lacks it
	Last   time.Time     // start of the last backup; the zero time if there is none
	Age    time.Duration // of the last backup, with Schema when that was replaced; 0: none; negative: in the future
	MaxAge time.Duration // as in [DropConfig]
}

// Error returns the tenant and both ages.
func (e *BackupError) Error() string {
	if e.Schema != "" {
		last := "there is none"
		if !e.Last.IsZero() {
			last = fmt.Sprintf("the last one is %v older", e.Age.Round(time.Second))
		}
		return fmt.Sprintf("tenant %q has %v of its retained schema %q from at most %v before that was replaced: %s; "+
			"revert the replacement, back up the tenant, and replace its schema again",
			e.Slug, ErrNoFreshBackup, e.Schema, e.MaxAge, last)
	}
	if e.Last.IsZero() {
		return fmt.Sprintf("tenant %q has %v: there is none since its schema was created, replaced or renamed",
			e.Slug, ErrNoFreshBackup)
	}
	if e.Age < 0 {
		return fmt.Sprintf("tenant %q has %v: the last one was taken %v in the future: "+
			"a clock is or was wrong",
			e.Slug, ErrNoFreshBackup, -e.Age.Round(time.Second))
	}
	return fmt.Sprintf("tenant %q has %v: the last one is %v old, more than %v", e.Slug, ErrNoFreshBackup,
		e.Age.Round(time.Second), e.MaxAge)
}

// Unwrap returns [ErrNoFreshBackup].
func (e *BackupError) Unwrap() error { return ErrNoFreshBackup }

var (
	// ErrNoRetainedSchema is returned by [Manager.RetainedSchema], [Manager.RequestConfirm],
	// [Manager.ConfirmReplacement] and [Manager.RevertReplacement] for a tenant without a retained
	// schema, or without one of that name.
	ErrNoRetainedSchema = errors.New("tenant has no retained schema")

	// ErrReplaced is wrapped by [ReplacedError].
	ErrReplaced = errors.New("the last replacement was neither confirmed nor reverted")

	// ErrStagingLost is returned by [Staging.Adopt] and [Staging.Replace] if the schema is no longer
	// available: it was adopted or closed, or its session has ended and a sweep may have dropped it.
	ErrStagingLost = errors.New("staged schema is lost")
)

// ReplacedError is returned by [Manager.StageReplacement] and [Staging.Replace] for a tenant that
// has a retained schema. Call [Manager.ConfirmReplacement] or [Manager.RevertReplacement] first. It
// wraps [ErrReplaced]. Nothing was changed.
type ReplacedError struct {
	Slug     string // the tenant's slug
	Retained string // the name of its retained schema
}

// Error returns the tenant and the schema.
func (e *ReplacedError) Error() string {
	return fmt.Sprintf("replace the schema of tenant %q: %v: schema %q is retained", e.Slug, ErrReplaced, e.Retained)
}

// Unwrap returns [ErrReplaced].
func (e *ReplacedError) Unwrap() error { return ErrReplaced }

// ErrStockEmpty is returned by [Manager.AssignStocked] if no stocked tenant is ready and
// [StockConfig].StockOnly is set.
var ErrStockEmpty = errors.New("stock is empty")

// ErrNoStock is returned by [Manager.Refill] and [Manager.RunStock] if [StockConfig].Size is 0.
var ErrNoStock = errors.New("there is no stock: Config.Stock.Size is 0")

// ErrNoIdentity is returned by [Registry.Identity] if the row of registry_identity was deleted.
// [Manager.RenewIdentity] makes a new one.
var ErrNoIdentity = errors.New("registry has no identity")

// ErrNotInitialized is returned by every method that reads or changes the registry if the
// configured schema has no registry, or if the registry lacks an object that a later release has
// added. Either [Manager.Init] has not run, or the registry is in another schema. Nothing was
// changed. The error wraps the PostgreSQL error, which names the schema if a table is missing.
var ErrNotInitialized = registrydb.ErrNotInitialized

// RegistrySchemaError says why the registry cannot be in the configured schema. [New] and
// [Manager.Init] return it. Nothing was changed.
type RegistrySchemaError struct {
	Schema string // the configured schema
	Reason string // the end of a sentence: "belongs to role \"x\""
	Err    error  // a [schemactx.NameError], or nil
}

// Error returns the schema and the reason, which names the options to set.
func (e *RegistrySchemaError) Error() string {
	return fmt.Sprintf("registry's schema %q %s", e.Schema, e.Reason)
}

// Unwrap returns Err.
func (e *RegistrySchemaError) Unwrap() error { return e.Err }
