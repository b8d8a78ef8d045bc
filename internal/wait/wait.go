package wait

import (
	"context"
	"math/rand/v2"
	"time"
)

// maxDoublings keeps the doubled wait from overflowing.
const maxDoublings = 16

// Backoff returns the wait after an attempt. Attempts count from 0. The wait doubles from first to
// limit, less a random part of at most its half, so that processes do not retry at the same time.
func Backoff(attempt int, first, limit time.Duration) time.Duration {
	return Jitter(min(limit, first<<min(attempt, maxDoublings)), 2)
}

// Jitter returns d less a random part of at most d/n.
func Jitter(d time.Duration, n int64) time.Duration {
	return d - rand.N(d/time.Duration(n)+1)
}

// Sleep waits for d. It returns false if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
