package ratelimit

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrLimited is wrapped by [LimitedError].
	ErrLimited = errors.New("too many requests")

	// ErrUndecided is wrapped by [UndecidedError].
	ErrUndecided = errors.New("requests cannot be counted")

	// ErrPolicy is wrapped by [PolicyError], together with its cause.
	ErrPolicy = errors.New("the limits of the tenant are invalid")
)

// LimitedError is the reason of a refusal with status 429, see [Middleware]. It wraps [ErrLimited].
type LimitedError struct {
	Tenant     string        // its slug; empty: the public site
	Scope      Scope         // the limit that refused
	Limit      Limit         // that limit
	RetryAfter time.Duration // 0: the request will never be allowed under this limit
}

// Error returns the tenant and the limit that refused.
func (e *LimitedError) Error() string {
	return fmt.Sprintf("tenant %q: %v: limit of the %s is %v", e.Tenant, ErrLimited, e.Scope, e.Limit)
}

// Unwrap returns [ErrLimited].
func (e *LimitedError) Unwrap() error { return ErrLimited }

// UndecidedError is the reason of a refusal with status 503, see [Middleware]. The [Store] could
// not decide and does not allow requests that it cannot count. It wraps [ErrUndecided] and the
// cause.
type UndecidedError struct {
	Tenant string // its slug; empty: the public site
	Err    error  // the error of the store, or a [tenancy.FieldError] for a negative cost
}

// Error returns the tenant and the cause.
func (e *UndecidedError) Error() string {
	return fmt.Sprintf("tenant %q: %v: %v", e.Tenant, ErrUndecided, e.Err)
}

// Unwrap returns [ErrUndecided] and the cause.
func (e *UndecidedError) Unwrap() []error { return []error{ErrUndecided, e.Err} }

// PolicyError is in [Decision].Err if the [Limits] of a tenant failed or returned an invalid
// policy. [Limits] says which policy applies instead. It wraps [ErrPolicy] and the cause.
type PolicyError struct {
	Tenant string // its slug
	Err    error
}

// Error returns the tenant and the cause.
func (e *PolicyError) Error() string {
	return fmt.Sprintf("tenant %q: %v: %v", e.Tenant, ErrPolicy, e.Err)
}

// Unwrap returns [ErrPolicy] and the cause.
func (e *PolicyError) Unwrap() []error { return []error{ErrPolicy, e.Err} }
