package ratelimit

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrLimited is what a [LimitedError] wraps.
	ErrLimited = errors.New("too many requests")

	// ErrUndecided is what an [UndecidedError] wraps.
	ErrUndecided = errors.New("requests cannot be counted")

	// ErrPolicy is what a [PolicyError] wraps, beside its cause.
	ErrPolicy = errors.New("limits of the tenant make no sense")
)

// LimitedError is the reason of a refusal with 429, see [Middleware]. It wraps [ErrLimited].
type LimitedError struct {
	Tenant     string        // its slug; empty: the public site
	By         Scope         // whose limit it was
	Limit      Limit         // that limit
	RetryAfter time.Duration // 0: the request will never be allowed under this limit
}

// Error returns the tenant, and whose limit it was.
func (e *LimitedError) Error() string {
	return fmt.Sprintf("tenant %q: %v: limit of the %s is %v", e.Tenant, ErrLimited, e.By, e.Limit)
}

// Unwrap returns [ErrLimited].
func (e *LimitedError) Unwrap() error { return ErrLimited }

// UndecidedError is the reason of a refusal with 503, see [Middleware]: whether the request is
// within the limits is not known, and the [Store] does not let through what it cannot count. It
// wraps [ErrUndecided] and the cause.
type UndecidedError struct {
	Tenant string // its slug; empty: the public site
	Err    error  // what the store said, or a [tenancy.FieldError] for a negative cost
}

// Error returns the tenant and the cause.
func (e *UndecidedError) Error() string {
	return fmt.Sprintf("tenant %q: %v: %v", e.Tenant, ErrUndecided, e.Err)
}

// Unwrap returns [ErrUndecided] and the cause.
func (e *UndecidedError) Unwrap() []error { return []error{ErrUndecided, e.Err} }

// PolicyError is in the [Decision].Err of a tenant whose [Limits] failed or said what makes no
// sense. It was limited by what is told at [Limits]. It wraps [ErrPolicy] and the cause.
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
