package schemactx_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The benchmarks compare the methods on one server, in one run, warm: before the timer starts,
// every connection has run every tenant's statement. Client and server run on one machine and share
// its processors, so the server's work counts too. All connections are TCP on 127.0.0.1.
//
//	go test -run '^$' -bench 'Compare/tenants=10$' -benchtime 40x ./schemactx
//
// BenchmarkRead compares methods that run one after another, and a machine that others use too
// changes meanwhile. Quote the results of BenchmarkCompare.

// student returns an operation that reads a random student of a random tenant.
func (r *reader) student(tenants int) func(*rand.Rand) error {
	return func(rnd *rand.Rand) error { return r.read(rnd.IntN(tenants), 1+rnd.IntN(fleetRows)) }
}

// BenchmarkRead measures each method alone: operations per second, p99 and allocations of one read
// by primary key.
func BenchmarkRead(b *testing.B) {
	f := newFleet(b)
	for _, w := range methods {
		b.Run(w.name, func(b *testing.B) {
			for _, tenants := range []int{1, 10, 200, 1000} {
				b.Run(fmt.Sprintf("tenants=%d", tenants), func(b *testing.B) {
					r := w.open(b, f) // a new pool, whose server processes know these tenants only
					r.warm(b, tenants)
					for _, goroutines := range []int{1, 16} {
						b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
							measure(b, goroutines, r.student(tenants))
						})
					}
				})
			}
		})
	}
}

// BenchmarkReadDelayed is BenchmarkRead over a network with a delay of one millisecond each way,
// where round trips dominate the cost. Go's timers round up, so a round trip takes two and a half
// to three milliseconds and not two; p50 of raw shows how long it is. The proxy that delays shares
// the processors, and its allocations count as the client's.
func BenchmarkReadDelayed(b *testing.B) {
	const tenants, goroutines = 10, 16
	f := newFleet(b)
	f.proxy = newProxy(b, f.pg.URL, time.Millisecond)
	for _, name := range []string{"raw", "roles", "setlocal", "hook"} {
		w := methodNamed(b, name)
		b.Run(name, func(b *testing.B) {
			r := w.open(b, f)
			r.warm(b, tenants)
			b.Run(fmt.Sprintf("tenants=%d/goroutines=%d", tenants, goroutines), func(b *testing.B) {
				measure(b, goroutines, r.student(tenants))
			})
		})
	}
}

const (
	compareSlice  = 100 * time.Millisecond
	compareRounds = 100 // at most, for any b.N
)

// BenchmarkCompare alternates short slices of raw and of another method, so both meet the same
// conditions. It reports the median of the ratios of their operations per second, and the
// quartiles. The methods with unnamed statements are compared with raw with unnamed statements. b.N
// is the number of rounds (-benchtime 40x), with one slice of each; time per operation has no
// meaning here.
//
// "raw" compared with itself, on its own pool, shows the noise.
func BenchmarkCompare(b *testing.B) {
	f := newFleet(b)
	for _, tenants := range []int{1, 10, 200, 1000} {
		b.Run(fmt.Sprintf("tenants=%d", tenants), func(b *testing.B) {
			for _, w := range methods {
				limit := "raw"
				if w.name == "raw-exec" || w.name == "pathonly-exec" || w.name == "roles-exec" {
					limit = "raw-exec"
				}
				b.Run(w.name, func(b *testing.B) {
					l, r := openWarm(b, f, limit, tenants), openWarm(b, f, w.name, tenants)
					for _, goroutines := range []int{1, 16} {
						b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
							compare(b, goroutines, l.student(tenants), r.student(tenants))
						})
					}
				})
			}
		})
	}
}

func openWarm(b *testing.B, f *fleet, name string, tenants int) *reader {
	b.Helper()
	r := methodNamed(b, name).open(b, f)
	r.warm(b, tenants)
	return r
}

// compare reports how many operations per second op does for each one of limit.
func compare(b *testing.B, goroutines int, limit, op func(*rand.Rand) error) {
	b.Helper()
	var ratios, limits, rates []float64
	for round := range min(b.N, compareRounds) {
		var l, r float64
		if round%2 == 0 {
			l = rate(b, compareSlice, goroutines, limit)
			r = rate(b, compareSlice, goroutines, op)
		} else {
			r = rate(b, compareSlice, goroutines, op)
			l = rate(b, compareSlice, goroutines, limit)
		}
		ratios, limits, rates = append(ratios, r/l), append(limits, l), append(rates, r)
	}
	b.ReportMetric(0, "ns/op") // the length of a round has no meaning
	b.ReportMetric(quantile(ratios, 0.25), "ratio-p25")
	b.ReportMetric(quantile(ratios, 0.5), "ratio-to-raw")
	b.ReportMetric(quantile(ratios, 0.75), "ratio-p75")
	b.ReportMetric(quantile(limits, 0.5), "raw-ops/s")
	b.ReportMetric(quantile(rates, 0.5), "ops/s")
}

// quantile sorts values and returns the value below which the fraction q of them lies.
func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	at := q * float64(len(values)-1)
	low := int(at)
	high := min(low+1, len(values)-1)
	return values[low] + (at-float64(low))*(values[high]-values[low])
}
