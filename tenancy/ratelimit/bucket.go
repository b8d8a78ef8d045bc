package ratelimit

import (
	"time"

	"golang.org/x/time/rate"
)

// bucket is one token bucket. It is guarded by its tenant's lock. Its limiter counts while its
// limit is counted; it is not behind a pointer, as with many callers it is places in memory that a
// decision costs.
type bucket struct {
	limit   Limit
	limiter rate.Limiter
}

// counts reports whether there is a limit that is counted; a new bucket has none yet.
func (b *bucket) counts() bool { return b.limit.kind == counted && b.limit.Requests > 0 }

// set gives the bucket another limit. What it holds it keeps, as far as there is room; where
// nothing was counted before, it is full.
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

// fill makes the limiter a new one that is full: it has had the burst and no limit for a while.
func (b *bucket) fill(now time.Time) {
	before := now.Add(-time.Second)
	b.limiter = rate.Limiter{}
	b.limiter.SetBurstAt(before, b.limit.Capacity())
	b.limiter.SetLimitAt(before, rate.Inf)
}

// look returns how many tokens there are, and whether they are enough.
func (b *bucket) look(now time.Time, cost int) (tokens float64, enough bool) {
	if !b.counts() {
		return 0, !b.limit.IsNothing()
	}
	tokens = b.limiter.TokensAt(now)
	return tokens, tokens >= float64(cost)
}

// take takes what look has found to be there.
func (b *bucket) take(now time.Time, cost int) {
	if b.counts() {
		b.limiter.AllowN(now, cost)
	}
}

// full reports whether a new bucket would be the same: then nothing is lost with this one.
func (b *bucket) full(now time.Time) bool {
	return !b.counts() || b.limiter.TokensAt(now) >= float64(b.limit.Capacity())
}

func (b *bucket) level(level *Level, tokens float64, cost int, enough, taken bool) {
	if !b.counts() {
		level.Refused = !enough
		return
	}
	level.of(&b.limit, tokens, cost, taken)
}
