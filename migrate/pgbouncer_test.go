package migrate_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/poolertest"
	"github.com/oryne/pgtenant/migrate"
)

// TestFleetThroughAPoolerInTransactionMode uses a pooler in transaction mode, where each
// transaction may be on another connection. A session's lock, a prepared statement or a setting
// would reach another client.
func TestFleetThroughAPoolerInTransactionMode(t *testing.T) {
	t.Parallel()
	f := fleet(t, 24)
	through := poolertest.Start(t, f.PG.URL, 3)
	var wg sync.WaitGroup
	var migrated atomic.Int32
	for i := range 3 {
		pool, err := pgxpool.New(t.Context(), through)
		require.NoError(t, err)
		defer pool.Close()
		r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", basic)}, Lock: migrate.LockTable})
		require.NoError(t, err)
		wg.Go(func() {
			report, err := r.UpAll(t.Context(), migrate.Schemas(names(24)...), migrate.UpAllOptions{PerTransaction: 1 + 3*i})
			assert.NoError(t, err, "report %v", outcomes(report))
			assert.Equal(t, 24, report.Current+report.Count(migrate.Migrated), "report %v", outcomes(report))
			migrated.Add(int32(report.Count(migrate.Migrated)))
		})
	}
	wg.Wait()
	n := f.at(t, 24)
	assert.Equal(t, 24, n, "%d schemas are migrated, %d times in all", n, migrated.Load())
	assert.Equal(t, int32(24), migrated.Load(), "%d schemas are migrated, %d times in all", n, migrated.Load())
	pool, err := pgxpool.New(t.Context(), through)
	require.NoError(t, err)
	defer pool.Close()
	cfg := migrate.Config{Tenant: []migrate.Source{source("app", basic)}, Lock: migrate.LockTable}
	r, err := migrate.New(pool, cfg)
	require.NoError(t, err)
	f.Exec(t, "create schema tenant_25")
	require.NoError(t, r.Migrate(t.Context(), "tenant_25"))
	status, err := r.Status(t.Context(), "tenant_25")
	require.NoError(t, err)
	assert.Len(t, status.Versions(migrate.Applied), 2, "status %+v", status)
	for range 6 { // several, to reach different connections
		var path, timeout string
		var prepared, locks int
		require.NoError(t,
			pool.QueryRow(t.Context(), `select current_setting('search_path'), current_setting('lock_timeout'),
			(select count(*) from pg_prepared_statements), (select count(*) from pg_locks where locktype = 'advisory'
				and pid = pg_backend_pid())`).
				Scan(&path, &timeout, &prepared, &locks))
		assert.Equal(t, `"$user", public`, path,
			"a connection was left with path %s, lock timeout %s, %d statements, %d locks", path, timeout, prepared, locks)
		assert.Equal(t, "0", timeout,
			"a connection was left with path %s, lock timeout %s, %d statements, %d locks", path, timeout, prepared, locks)
		assert.Equal(t, 0, prepared,
			"a connection was left with path %s, lock timeout %s, %d statements, %d locks", path, timeout, prepared, locks)
		assert.Equal(t, 0, locks,
			"a connection was left with path %s, lock timeout %s, %d statements", path, timeout, prepared)
	}
}
