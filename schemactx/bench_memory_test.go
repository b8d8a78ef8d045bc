package schemactx_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// BenchmarkServerMemory measures the memory of one server process that has read from two tables of
// each of 1,000 tenants, through one connection. It reports the figures of
// pg_backend_memory_contexts: what the process has allocated with malloc, and how much of it is in
// use. The view shows a process only its own memory, so it is read on the measured connection. It
// exists since PostgreSQL 14, works wherever the server runs, and does not include shared memory
// and the overhead of malloc. It runs once: b.N has no meaning here.
//
// A process caches what it knows about each table (the relation and catalog caches) until it ends.
// Prepared statements come on top of that, up to the capacity of the cache.
func BenchmarkServerMemory(b *testing.B) {
	f := newFleet(b)
	grantMemoryContexts(b, f)
	const unbounded = 1 << 20
	for _, c := range []struct {
		name     string
		capacity int
		options  []func(*pgxpool.Config)
	}{
		{"statements=default", 0, nil},
		{"statements=unbounded", unbounded, nil},
		{"statements=unnamed", 0, []func(*pgxpool.Config){unprepared}},
	} {
		b.Run("raw/"+c.name, func(b *testing.B) {
			visits := make(map[int]visit)
			for tenant, name := range f.names {
				visits[tenant] = visitOf(name + ".")
			}
			pool := f.onePool(b, f.roles.Owner(), ownerPassword, c.capacity, c.options)
			reportMemory(b, pool, func(tenant int) error {
				return touch(f.base, pool, visits[tenant])
			})
		})
		b.Run("roles/"+c.name, func(b *testing.B) {
			pool := f.onePool(b, f.roles.Runtime(), runtimePassword, 0, c.options)
			db, err := schemactx.New(pool, schemactx.Config{Roles: f.roles, StatementCacheCapacity: c.capacity})
			require.NoError(b, err)
			reportMemory(b, pool, func(tenant int) error {
				return touch(f.ctxs[tenant], db, visitOf(""))
			})
		})
	}
}

// onePool is pool with one connection. capacity is that of pgx's statement cache; 0 is pgx's
// default, 512.
func (f *fleet) onePool(
	b *testing.B,
	login, password string,
	capacity int,
	options []func(*pgxpool.Config),
) *pgxpool.Pool {
	b.Helper()
	one := func(cfg *pgxpool.Config) {
		cfg.MaxConns = 1
		cfg.ConnConfig.StatementCacheCapacity = 512
		if capacity > 0 {
			cfg.ConnConfig.StatementCacheCapacity = capacity
		}
	}
	return f.pool(b, login, password, append(options, one)...)
}

// touch reads a row from both tables of a tenant.
func touch(ctx context.Context, q querier, v visit) error {
	var name string
	if err := q.QueryRow(ctx, v.student, 1).Scan(&name); err != nil {
		return err
	}
	return q.QueryRow(ctx, v.class, 1).Scan(&name)
}

// reportMemory calls touch for every tenant and reports how much memory and how many prepared
// statements that has added to the server process.
func reportMemory(b *testing.B, pool *pgxpool.Pool, touch func(tenant int) error) {
	b.Helper()
	used, total, statements, pid := serverMemory(b, pool)
	for tenant := range fleetSize {
		require.NoError(b, touch(tenant))
	}
	usedAfter, totalAfter, statementsAfter, pidAfter := serverMemory(b, pool)
	require.Equal(b, pidAfter, pid, "another process answers than the one that was measured before")
	const mega = 1 << 20
	b.ReportMetric(0, "ns/op")
	b.ReportMetric((usedAfter-used)/mega, "used-MB")
	b.ReportMetric((totalAfter-total)/mega, "total-MB")
	b.ReportMetric(float64(statementsAfter-statements), "statements")
}

// serverMemory returns the memory and the prepared statements of the server process, and its id.
func serverMemory(b *testing.B, pool *pgxpool.Pool) (used, total float64, statements, pid int) {
	b.Helper()
	require.NoError(b, pool.QueryRow(context.Background(), `select sum(used_bytes)::float8, sum(total_bytes)::float8,
		(select count(*) from pg_prepared_statements), pg_backend_pid()
			from pg_backend_memory_contexts`).Scan(&used, &total, &statements, &pid))
	return used, total, statements, pid
}
