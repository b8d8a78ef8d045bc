package migrate_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

// TestRunnersThatBuildAnIndexConcurrentlyDoNotStopEachOther runs several runners on one schema. One
// builds the index, and the others wait for the schema's lock. If they waited in the server, CREATE
// INDEX CONCURRENTLY would wait for their snapshots, which is a deadlock. PostgreSQL looks for one
// after a session has waited for a second, so the migration sleeps for longer before the index.
func TestRunnersThatBuildAnIndexConcurrentlyDoNotStopEachOther(t *testing.T) {
	t.Parallel()
	f := setup(t)
	files := map[string]string{"00001_a.sql": "create table a (x int);\ninsert into a select generate_series(1, 20000);"}
	_, err := f.Runner(t, files).Up(t.Context(), "tenant_1")
	require.NoError(t, err)
	files["00002_b.sql"] = "-- +goose NO TRANSACTION\nselect pg_sleep(1.5);\ncreate index concurrently a_x on a (x);"
	var runners sync.WaitGroup
	for range 4 {
		r := f.Runner(t, files)
		runners.Go(func() {
			_, err := r.Up(t.Context(), "tenant_1")
			assert.NoError(t, err)
		})
	}
	runners.Wait()
	var valid bool
	f.Scan(t, "select indisvalid from pg_index where indexrelid = 'tenant_1.a_x'::regclass", &valid)
	assert.True(t, valid, "the index is not valid")
}

// TestWaitingRunnerDoesNotBlockConcurrentIndex holds the schema's lock and builds an index, as a
// runner does. Another runner that waits for the lock must hold no snapshot and no table lock that
// CREATE INDEX CONCURRENTLY would wait for.
func TestWaitingRunnerDoesNotBlockConcurrentIndex(t *testing.T) {
	t.Parallel()
	up := func(ctx context.Context, r *migrate.Runner) error { return r.Migrate(ctx, "tenant_1") }
	all := func(ctx context.Context, r *migrate.Runner) error {
		_, err := r.UpAll(ctx, migrate.Schemas("tenant_1", "tenant_2"), migrate.UpAllOptions{PerTransaction: 2})
		return err
	}
	alone := map[string]string{
		"00001_notes.sql": basic["00001_notes.sql"],
		"00002_body.sql":  "-- +goose NO TRANSACTION\n" + basic["00002_body.sql"],
	}
	for name, c := range map[string]struct {
		files map[string]string
		lock  migrate.Lock
		run   func(ctx context.Context, r *migrate.Runner) error
	}{
		"in a transaction":            {basic, migrate.LockAdvisory, up},
		"for a session":               {basic, migrate.LockSession, up},
		"without a transaction":       {alone, migrate.LockAdvisory, up},
		"in a fleet":                  {basic, migrate.LockAdvisory, all},
		"in a fleet, for a session":   {basic, migrate.LockSession, all},
		"in a fleet, no transactions": {alone, migrate.LockAdvisory, all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fleet(t, 2)
			holder, err := f.PG.Pool.Acquire(t.Context())
			require.NoError(t, err)
			defer holder.Release()
			_, err = holder.Exec(t.Context(), "select pg_advisory_lock(hashtextextended('pgtenant.migrate.tenant_1', 0))")
			require.NoError(t, err)
			pool, err := pgxpool.New(t.Context(), f.PG.URL+"&application_name=waits")
			require.NoError(t, err)
			defer pool.Close()
			r, err := migrate.New(pool, migrate.Config{
				Tenant: []migrate.Source{source("app", c.files)}, Lock: c.lock, LockTimeout: time.Minute, LockRetries: -1,
			})
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- c.run(t.Context(), r) }()
			for asks := false; !asks; {
				f.Scan(
					t,
					`select count(*) > 0 from pg_stat_activity where datname = current_database() and application_name = 'waits'
					and query ~ 'advisory.*lock'`,
					&asks,
				)
			}
			_, err = holder.Exec(t.Context(), "create index concurrently on tenant_1.notes (id)")
			require.NoError(t, err)
			_, err = holder.Exec(t.Context(), "select pg_advisory_unlock_all()")
			require.NoError(t, err)
			require.NoError(t, <-done)
			var body bool
			f.Scan(
				t,
				"select exists (select from pg_attribute where attrelid = 'tenant_1.notes'::regclass and attname = 'body')",
				&body,
			)
			assert.True(t, body, "not migrated")
		})
	}
}

func TestLockThatAnotherRunnerKeeps(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	holder, err := f.PG.Pool.Acquire(t.Context())
	require.NoError(t, err)
	defer holder.Release()
	_, err = holder.Exec(t.Context(), "select pg_advisory_lock(hashtextextended('pgtenant.migrate.tenant_2', 0))")
	require.NoError(t, err)
	for _, lock := range []migrate.Lock{migrate.LockAdvisory, migrate.LockSession} {
		cfg := migrate.Config{
			Tenant:      []migrate.Source{source("app", basic)},
			Lock:        lock,
			LockTimeout: 20 * time.Millisecond,
			LockRetries: 1,
		}
		r := f.runnerWith(t, cfg)
		assert.ErrorIs(t, r.Migrate(t.Context(), "tenant_2"), migrate.ErrLocked)
		report, err := r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
		assert.ErrorIs(t, err, migrate.ErrLocked)
		if failed := report.Failed(); assert.Len(t, failed, 1, "report %v", outcomes(report)) {
			assert.Equal(t, "tenant_2", failed[0].Schema, "report %v", outcomes(report))
		}
	}
	_, err = holder.Exec(t.Context(), "select pg_advisory_unlock_all()")
	require.NoError(t, err)
	assert.Equal(t, 2, f.at(t, 3), "are migrated")
}
