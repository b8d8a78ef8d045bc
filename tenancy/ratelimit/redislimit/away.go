package redislimit

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// Away says what is decided while Redis does not answer.
type Away int

const (
	// Local decides by buckets of this process: a tenant has its limit in each process, beginning with full buckets. It is
	// the default: floods are still stopped, and nobody is refused because of Redis.
	Local Away = iota

	// FailOpen lets all requests through, but those of tenants for whom ratelimit.Nothing is allowed.
	FailOpen

	// FailClosed decides nothing: requests are refused with 503.
	FailClosed
)

// ErrAway is what an [AwayError] wraps.
var ErrAway = errors.New("redis does not answer")

// AwayError says why a decision was made without Redis, or was not made. It wraps [ErrAway] and the cause: an error of
// Redis or of the connection, or gobreaker.ErrOpenState and gobreaker.ErrTooManyRequests while nobody asks.
type AwayError struct{ Err error }

// Error returns the cause.
func (e *AwayError) Error() string { return fmt.Sprintf("%v: %v", ErrAway, e.Err) }

// Unwrap returns [ErrAway] and the cause.
func (e *AwayError) Unwrap() []error { return []error{ErrAway, e.Err} }

// without decides without Redis.
func (s *Store) without(ctx context.Context, k ratelimit.Take, cause error) (ratelimit.Taken, error) {
	away := &AwayError{Err: cause}
	switch s.cfg.Away {
	case FailClosed:
		return ratelimit.Taken{}, away
	case FailOpen:
		taken := ratelimit.Taken{Tenant: uncounted(k.Policy.Tenant), Degraded: away}
		if k.Caller != "" {
			taken.Caller = uncounted(k.Policy.Caller)
		}
		return taken, nil
	}
	taken, err := s.cfg.Buckets.Take(ctx, k)
	taken.Degraded = away
	return taken, err
}

// uncounted is the level of a bucket that nobody has looked at.
func uncounted(l ratelimit.Limit) ratelimit.Level {
	return ratelimit.Level{Refused: l.IsNothing(), Unknown: !l.IsNothing()}
}
