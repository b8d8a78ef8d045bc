package redislimit

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// Fallback selects what the store decides while Redis does not answer.
type Fallback int

const (
	// Local decides with buckets of this process. A tenant then has its limit in each process,
	// starting with full buckets. It is the default: floods are still stopped, and no request is
	// refused because of Redis.
	Local Fallback = iota

	// FailOpen allows all requests, except of tenants whose limit is ratelimit.Deny.
	FailOpen

	// FailClosed returns an error, and requests are refused with status 503.
	FailClosed
)

// ErrUnavailable is wrapped by [UnavailableError].
var ErrUnavailable = errors.New("redis does not answer")

// UnavailableError is the reason why a decision was made without Redis, or was not made. It wraps
// [ErrUnavailable] and the cause: an error of Redis or of the connection, or gobreaker.ErrOpenState
// or gobreaker.ErrTooManyRequests while the circuit is open.
type UnavailableError struct{ Err error }

// Error returns the cause.
func (e *UnavailableError) Error() string { return fmt.Sprintf("%v: %v", ErrUnavailable, e.Err) }

// Unwrap returns [ErrUnavailable] and the cause.
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.Err} }

// fallBack decides without Redis.
func (s *Store) fallBack(ctx context.Context, k ratelimit.AllowRequest, cause error) (ratelimit.Result, error) {
	away := &UnavailableError{Err: cause}
	switch s.cfg.Fallback {
	case FailClosed:
		return ratelimit.Result{}, away
	case FailOpen:
		taken := ratelimit.Result{Tenant: uncounted(k.Policy.Tenant), Degraded: away}
		if k.Caller != "" {
			taken.Caller = uncounted(k.Policy.Caller)
		}
		return taken, nil
	}
	taken, err := s.cfg.Buckets.Allow(ctx, k)
	taken.Degraded = away
	return taken, err
}

// uncounted is the state of a bucket that was not looked at.
func uncounted(l ratelimit.Limit) ratelimit.BucketState {
	return ratelimit.BucketState{Refused: l.IsDeny(), Unknown: !l.IsDeny()}
}
