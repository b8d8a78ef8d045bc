package redislimit_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/ratelimit/redislimit"
)

// BenchmarkDecide measures a decision with Redis on the same machine, and without Redis while the
// circuit is open:
//
//	cd tenancy/ratelimit/redislimit && go test -run '^$' -bench . -benchmem
func BenchmarkDecide(b *testing.B) {
	policy := always(ratelimit.Policy{Tenant: ratelimit.PerSecond(1_000_000), Caller: ratelimit.PerSecond(1_000_000)})
	for _, c := range []struct {
		name string
		q    ratelimit.Query
	}{
		{"tenant", ratelimit.Query{Tenant: tenant(1)}},
		{"tenant and caller", ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}},
	} {
		l := newLimiter(b, newStore(b, startRedis(b), redislimit.Config{Timeout: 10 * time.Second}), policy)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := l.Decide(context.Background(), c.q); d.Err != nil {
					b.Fatal(d.Err)
				}
			}
		})
		b.Run(c.name+", parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Decide(context.Background(), c.q)
				}
			})
		})
	}
	b.Run("hanging", func(b *testing.B) {
		s := startRedis(b)
		l := newLimiter(b, newStore(b, s, redislimit.Config{Pause: time.Hour}), policy)
		s.signal(b, syscall.SIGSTOP)
		for range 5 {
			l.Decide(context.Background(), ratelimit.Query{Tenant: tenant(1)})
		}
		b.ReportAllocs()
		for b.Loop() {
			l.Decide(context.Background(), ratelimit.Query{Tenant: tenant(1), Caller: "user:1"})
		}
	})
}
