package ratelimit

import (
	"time"

	"golang.org/x/time/rate"
)

// bucket is one token bucket. It is guarded by its tenant's lock. It has a limiter while its limit is counted.
type bucket struct {
	limit   Limit
	limiter *rate.Limiter
}

// set gives the bucket another limit. What it holds it keeps, as far as there is room; where nothing was counted before,
// it is full.
func (b *bucket) set(now time.Time, limit Limit) {
	if b.limit == limit {
		return
	}
	b.limit = limit
	switch {
	case limit.kind != counted:
		b.limiter = nil
	case b.limiter == nil:
		b.limiter = rate.NewLimiter(rate.Limit(limit.perSecond()), limit.Capacity())
	default:
		b.limiter.SetLimitAt(now, rate.Limit(limit.perSecond()))
		b.limiter.SetBurstAt(now, limit.Capacity())
	}
}

// look returns how many tokens there are, and whether they are enough.
func (b *bucket) look(now time.Time, cost int) (tokens float64, enough bool) {
	if b.limiter == nil {
		return 0, !b.limit.IsNothing()
	}
	tokens = b.limiter.TokensAt(now)
	return tokens, tokens >= float64(cost)
}

// take takes what look has found to be there.
func (b *bucket) take(now time.Time, cost int) {
	if b.limiter != nil {
		b.limiter.AllowN(now, cost)
	}
}

// full reports whether a new bucket would be the same: then nothing is lost with this one.
func (b *bucket) full(now time.Time) bool {
	return b.limiter == nil || b.limiter.TokensAt(now) >= float64(b.limit.Capacity())
}

func (b *bucket) level(tokens float64, cost int, enough, taken bool) Level {
	if b.limiter == nil {
		return Level{Refused: !enough}
	}
	return levelOf(b.limit, tokens, cost, taken)
}
