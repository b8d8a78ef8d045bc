package ratelimit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// time.Now does not go back within a process, but two goroutines can lock a bucket in another order
// than they have read the clock.
func TestAClockThatGoesBackwardsFillsNoBucketTwice(t *testing.T) {
	t.Parallel()
	b, err := NewBuckets(BucketsConfig{})
	require.NoError(t, err)
	now := time.Now()
	k := AllowRequest{Tenant: 1, Caller: "user:1", Cost: 1, Policy: Policy{Tenant: PerSecond(10), Caller: PerSecond(10)}}
	take := func(now time.Time) (taken Result) {
		b.take(now, &k, &taken)
		return taken
	}
	for range 10 {
		require.False(t, take(now).Tenant.Refused, "refused while there are tokens")
	}
	for i := range 100 {
		for _, at := range []time.Time{now.Add(-time.Hour), now} {
			taken := take(at)
			require.True(t, taken.Tenant.Refused && taken.Caller.Refused, "%d: a bucket was filled by the same time twice", i)
		}
	}
	assert.False(t, take(now.Add(100*time.Millisecond)).Tenant.Refused,
		"the bucket is no longer filled after the clock went backwards")
}
