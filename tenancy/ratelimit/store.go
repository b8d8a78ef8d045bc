package ratelimit

import (
	"context"
	"time"
)

// Store keeps the buckets. [*Buckets] keeps them in the process; the module redislimit keeps them
// in Redis, for many.
type Store interface {
	// Take takes k.Cost tokens from the tenant's bucket and from the caller's, or from neither, as far
	// as the store can. An error means that it could not tell, and the request is not served. It
	// returns within a bounded time, whatever ctx says. It is safe for concurrent use.
	Take(ctx context.Context, k Take) (Taken, error)
}

// Take is what a [Store] is asked for.
type Take struct {
	Tenant int64  // the tenant's ID; 0: the public site
	Caller string // empty: there is no bucket of a caller
	Policy Policy // complete and valid
	Cost   int    // at least 1
}

// Taken is what a [Store] answers.
type Taken struct {
	Tenant Level // of the tenant's bucket
	Caller Level // of the caller's, zero where Take has none

	// Degraded says why this is not the answer of the store that all processes share; nil: it is.
	Degraded error
}

// Level is what has become of one bucket. Of a limit that is not counted all is zero but Refused.
type Level struct {
	Refused   bool          // the bucket had too few tokens, or [Nothing] is allowed
	Unknown   bool          // the store has not looked, such as because the other bucket had refused already
	Remaining int           // whole tokens that are left
	Next      time.Duration // until there is one more; 0: the bucket is full
	// of a refused request, until it would not be; 0: for ever, as it costs more than the bucket holds
	Wait time.Duration
}

// of makes it the level of a bucket of a limit that held tokens when cost was asked of it. It is
// made in its place: to hand levels from one to the other costs a decision more than to compute
// them.
func (level *Level) of(l *Limit, tokens float64, cost int, taken bool) {
	switch {
	case taken:
		tokens -= float64(cost)
	case tokens < float64(cost):
		level.Refused = true
		if cost <= l.Capacity() {
			level.Wait = l.duration(float64(cost) - tokens)
		}
	}
	level.Remaining = max(int(tokens), 0)
	if level.Remaining < l.Capacity() {
		level.Next = l.duration(float64(int(max(tokens, 0))) + 1 - tokens)
	}
}
