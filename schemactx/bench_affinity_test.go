package schemactx_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// BenchmarkAffinity reads from two tables of each of 1,000 tenants, with and without lanes. Tenants
// are chosen uniformly, or skewed as customers are (Zipf, s = 1.1: a tenth of the tenants makes
// three quarters of the requests). A statement cache of the default size holds a quarter of the
// statements, so without lanes most reads of rare tenants have to prepare. It also reports the
// statements prepared per operation, and the memory that all server processes together have
// allocated with malloc, as each process reports it.
func BenchmarkAffinity(b *testing.B) {
	f := newFleet(b)
	grantMemoryContexts(b, f)
	for _, load := range []string{"uniform", "skewed"} {
		for _, n := range []int{0, 4, 16} {
			b.Run(fmt.Sprintf("%s/lanes=%d", load, n), func(b *testing.B) {
				db, err := schemactx.New(f.pool(b, f.roles.Runtime(), runtimePassword), schemactx.Config{Roles: f.roles, Lanes: n})
				require.NoError(b, err)
				b.Cleanup(db.Close)
				op := func(tenant int) error { return touch(f.ctxs[tenant], db, visitOf("")) }
				for tenant := range fleetSize {
					require.NoError(b, op(tenant))
				}
				before := db.Stats().Misses
				measure(b, 16, func(rnd *rand.Rand) error { return op(pickTenant(rnd, load)) })
				b.ReportMetric(float64(db.Stats().Misses-before)/float64(b.N), "prepared/op")
				b.ReportMetric(memoryOfAll(b, f, db), "server-MB")
			})
		}
	}
}

func pickTenant(rnd *rand.Rand, load string) int {
	if load == "uniform" {
		return rnd.IntN(fleetSize)
	}
	return int(rand.NewZipf(rnd, 1.1, 1, fleetSize-1).Uint64())
}

func grantMemoryContexts(b *testing.B, f *fleet) {
	b.Helper()
	_, err := f.pg.Pool.Exec(
		context.Background(),
		"grant execute on function pg_get_backend_memory_contexts() to public; "+
			"grant select on pg_backend_memory_contexts to public",
	)
	require.NoError(b, err)
}

// memoryOfAll begins as many transactions at a time as there are connections, so each process
// answers once.
func memoryOfAll(b *testing.B, f *fleet, db *schemactx.DB) float64 {
	b.Helper()
	var sum float64
	for range fleetConns {
		ctx := f.ctxs[0]
		tx, err := db.Begin(ctx)
		require.NoError(b, err)
		defer func() { require.NoError(b, tx.Rollback(ctx)) }()
		var total float64
		require.NoError(b, tx.QueryRow(ctx, "select sum(total_bytes)::float8 from pg_backend_memory_contexts").Scan(&total))
		sum += total / (1 << 20)
	}
	return sum
}
