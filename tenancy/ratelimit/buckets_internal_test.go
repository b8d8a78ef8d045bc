package ratelimit

import (
	"testing"
	"time"
)

// time.Now does not go back within a process, but two goroutines may take their buckets in another order than they have
// looked at the clock.
func TestAClockThatGoesBackFillsNoBucketTwice(t *testing.T) {
	t.Parallel()
	b, err := NewBuckets(BucketsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	k := Take{Tenant: 1, Caller: "user:1", Cost: 1, Policy: Policy{Tenant: PerSecond(10), Caller: PerSecond(10)}}
	take := func(now time.Time) (taken Taken) {
		b.take(now, &k, &taken)
		return taken
	}
	for range 10 {
		if take(now).Tenant.Refused {
			t.Fatal("refused while there are tokens")
		}
	}
	for i := range 100 {
		for _, at := range []time.Time{now.Add(-time.Hour), now} {
			if taken := take(at); !taken.Tenant.Refused || !taken.Caller.Refused {
				t.Fatalf("%d: a bucket was filled by the same time twice", i)
			}
		}
	}
	if take(now.Add(100 * time.Millisecond)).Tenant.Refused {
		t.Error("the clock went back once, and the bucket is not filled any more")
	}
}
