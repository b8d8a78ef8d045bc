package ratelimit

import (
	"context"
	"time"
)

// Store keeps the buckets. [*Buckets] keeps them in this process; the module redislimit keeps them
// in Redis, shared by several processes.
type Store interface {
	// Allow takes r.Cost tokens from the bucket of the tenant and from that of the caller, or from
	// neither, as far as the store can guarantee that. An error means that the store could not decide;
	// the request is then not served. Allow returns within a bounded time, whatever ctx says. It must
	// be safe for concurrent use.
	Allow(ctx context.Context, r AllowRequest) (Result, error)
}

// AllowRequest is the argument of [Store].Allow.
type AllowRequest struct {
	Tenant int64  // the tenant's ID; 0: the public site
	Caller string // empty: only the bucket of the tenant
	Policy Policy // valid, with defaults filled in
	Cost   int    // at least 1
}

// Result is the answer of a [Store].
type Result struct {
	Tenant BucketState // the bucket of the tenant
	Caller BucketState // the bucket of the caller; zero if the request has none

	// Degraded is the reason why the answer does not come from the shared store; nil: it does.
	Degraded error
}

// BucketState is the state of one bucket after a decision. If the limit is not counted, all fields
// but Refused are zero.
type BucketState struct {
	Refused   bool          // the bucket had too few tokens, or the limit is [Deny]
	Unknown   bool          // the store did not look, for example because the other bucket refused
	Remaining int           // whole tokens left
	Next      time.Duration // until there is one more token; 0: the bucket is full
	// if refused, the time until the request would be allowed; 0: never, it costs more than the
	// capacity
	Wait time.Duration
}

// of sets the state of a bucket with limit l that held tokens before cost was requested. It fills
// the state in place, because copying states costs more than computing them.
func (state *BucketState) of(l *Limit, tokens float64, cost int, taken bool) {
	switch {
	case taken:
		tokens -= float64(cost)
	case tokens < float64(cost):
		state.Refused = true
		if cost <= l.Capacity() {
			state.Wait = l.duration(float64(cost) - tokens)
		}
	}
	state.Remaining = max(int(tokens), 0)
	if state.Remaining < l.Capacity() {
		state.Next = l.duration(float64(int(max(tokens, 0))) + 1 - tokens)
	}
}
