package schemactx_test

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// latencies counts durations in buckets that are a sixteenth of a power of two wide. So a
// percentile is exact to about six percent, and counting does not allocate.
type latencies [64 * 16]uint32

func (l *latencies) add(d time.Duration) { l[bucket(d)]++ }

func bucket(d time.Duration) int {
	ns := uint64(max(d, 16))
	power := bits.Len64(ns) - 1
	return power*16 + int(ns>>(power-4)&15)
}

// percentile returns the lower end of the bucket that contains the p-th percentile.
func (l *latencies) percentile(p uint64) time.Duration {
	var total, sum uint64
	for _, n := range l {
		total += uint64(n)
	}
	for i, n := range l {
		if sum += uint64(n); n > 0 && sum*100 >= total*p {
			power := i / 16
			return time.Duration((16 + i%16) << (power - 4))
		}
	}
	return 0
}

// spread runs op on several goroutines while more returns true, each with its own random source. It
// returns the duration of each call, and an error if there was one. A goroutine ends at its first
// error.
func spread(goroutines int, more func() bool, op func(*rand.Rand) error) (*latencies, error) {
	all := make([]latencies, goroutines)
	errs := make([]error, goroutines)
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))
			for more() && errs[i] == nil {
				start := time.Now()
				errs[i] = op(r)
				all[i].add(time.Since(start))
			}
		})
	}
	wg.Wait()
	for i := range all {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if i > 0 {
			for j, n := range all[i] {
				all[0][j] += n
			}
		}
	}
	return &all[0], nil
}

// counted returns a function that returns true n times.
func counted(n int64) func() bool {
	var taken atomic.Int64
	return func() bool { return taken.Add(1) <= n }
}

// measure runs op b.N times, spread over the goroutines. It also reports operations per second, and
// the median and 99th percentile of their latency. Time per operation is that of all goroutines
// together, not of one.
func measure(b *testing.B, goroutines int, op func(*rand.Rand) error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	l, err := spread(goroutines, counted(int64(b.N)), op)
	b.StopTimer()
	require.NoError(b, err)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64(l.percentile(50).Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(l.percentile(99).Nanoseconds())/1e3, "p99-us")
}

// rate runs op for a slice of time and returns operations per second.
func rate(b *testing.B, slice time.Duration, goroutines int, op func(*rand.Rand) error) float64 {
	b.Helper()
	var over atomic.Bool
	var done atomic.Int64
	timer := time.AfterFunc(slice, func() { over.Store(true) })
	defer timer.Stop()
	start := time.Now()
	_, err := spread(goroutines, func() bool { return !over.Load() }, func(r *rand.Rand) error {
		done.Add(1)
		return op(r)
	})
	require.NoError(b, err)
	return float64(done.Load()) / time.Since(start).Seconds()
}

func TestLatencyPercentiles(t *testing.T) {
	t.Parallel()
	var l latencies
	for i := range 1000 {
		l.add(time.Duration(i+1) * time.Microsecond)
	}
	for p, want := range map[uint64]time.Duration{
		1:  10 * time.Microsecond,
		50: 500 * time.Microsecond,
		99: 990 * time.Microsecond,
	} {
		got := l.percentile(p)
		assert.LessOrEqual(t, got, want, "percentile %d is %s, want %s or up to a sixteenth less", p, got, want)
		assert.GreaterOrEqual(t, got, want*15/16, "percentile %d is %s, want %s or up to a sixteenth less", p, got, want)
	}
}
