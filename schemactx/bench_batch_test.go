package schemactx_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// readBatch reads n students in one batch.
func readBatch(ctx context.Context, s sender, sql string, first, n int, want string) error {
	batch := &pgx.Batch{}
	for i := range n {
		batch.Queue(sql, 1+(first+i)%fleetRows).QueryRow(func(row pgx.Row) error {
			var name string
			if err := row.Scan(&name); err != nil {
				return err
			}
			if name != want {
				return fmt.Errorf("read a row of %q in %q", name, want)
			}
			return nil
		})
	}
	return s.SendBatch(ctx, batch).Close()
}

// BenchmarkBatch measures a batch of ten reads. The batch of raw is one implicit transaction; that
// of schemactx includes BEGIN and COMMIT.
func BenchmarkBatch(b *testing.B) { benchmarkBatch(b, newFleet(b)) }

// BenchmarkBatchDelayed is BenchmarkBatch over a network with a delay of one millisecond each way.
func BenchmarkBatchDelayed(b *testing.B) {
	f := newFleet(b)
	f.proxy = newProxy(b, f.pg.URL, time.Millisecond)
	benchmarkBatch(b, f)
}

func benchmarkBatch(b *testing.B, f *fleet) {
	const tenants, reads = 10, 10
	for _, name := range []string{"raw", "pathonly", "roles"} {
		b.Run(name, func(b *testing.B) {
			r := openWarm(b, f, name, tenants)
			op := func(rnd *rand.Rand) error {
				tenant, first := rnd.IntN(tenants), rnd.IntN(fleetRows)
				if r.db != nil {
					return readBatch(f.ctxs[tenant], r.db, studentSQL, first, reads, f.names[tenant])
				}
				return readBatch(
					f.base,
					r.pool,
					"select name from "+f.names[tenant]+".students where id = $1",
					first,
					reads,
					f.names[tenant],
				)
			}
			_ = rate(b, compareSlice, fleetConns, op) // prepares the remaining statements of a batch
			for _, goroutines := range []int{1, 16} {
				b.Run(fmt.Sprintf("tenants=%d/goroutines=%d", tenants, goroutines), func(b *testing.B) {
					measure(b, goroutines, op)
				})
			}
		})
	}
}
