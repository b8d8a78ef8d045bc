package ratelimit

import (
	"time"

	"golang.org/x/time/rate"
)

// bucket is one token bucket, guarded by the lock of its tenant. Its limiter is used only while its
// limit is counted. The limiter is embedded by value: with many callers, each pointer costs a
// decision one more memory access.
type bucket struct {
	limit   Limit
	limiter rate.Limiter
}

// counts reports whether the bucket has a limit that needs counting. A new bucket has none yet.
func (b *bucket) counts() bool { return b.limit.kind == counted && b.limit.Requests > 0 }

// set changes the limit of the bucket. The bucket keeps its tokens up to the new capacity. If
// nothing was counted before, the bucket is full.
func (b *bucket) set(now time.Time, limit *Limit) {
	if b.limit == *limit {
		return
	}
	counted := b.counts()
	b.limit = *limit
	if !b.counts() {
		return
	}
	if !counted {
		b.fill(now)
	}
	b.limiter.SetLimitAt(now, rate.Limit(limit.perSecond()))
	b.limiter.SetBurstAt(now, limit.Capacity())
}

// fill replaces the limiter by a full one: the new limiter has had an infinite rate for one second.
func (b *bucket) fill(now time.Time) {
	before := now.Add(-time.Second)
	b.limiter = rate.Limiter{}
	b.limiter.SetBurstAt(before, b.limit.Capacity())
	b.limiter.SetLimitAt(before, rate.Inf)
}

// peek returns the number of tokens and whether they cover the cost.
func (b *bucket) peek(now time.Time, cost int) (tokens float64, enough bool) {
	if !b.counts() {
		return 0, !b.limit.IsDeny()
	}
	tokens = b.limiter.TokensAt(now)
	return tokens, tokens >= float64(cost)
}

// consume removes tokens that peek has found.
func (b *bucket) consume(now time.Time, cost int) {
	if b.counts() {
		b.limiter.AllowN(now, cost)
	}
}

// full reports whether the bucket equals a new one, so that dropping it loses nothing.
func (b *bucket) full(now time.Time) bool {
	return !b.counts() || b.limiter.TokensAt(now) >= float64(b.limit.Capacity())
}

func (b *bucket) state(state *BucketState, tokens float64, cost int, enough, taken bool) {
	if !b.counts() {
		state.Refused = !enough
		return
	}
	state.of(&b.limit, tokens, cost, taken)
}
