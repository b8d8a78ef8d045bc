package migrate_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// squat takes the key of each schema's lock, as a login without privileges. Every second key is
// taken in shared mode, which blocks an exclusive lock too. squat also takes some marks, which
// block no runner.
func (f fixture) squat(t *testing.T, kind string, schemas ...string) *pgx.Conn {
	t.Helper()
	login := f.PG.RolePrefix + "_squatter"
	f.Exec(
		t,
		"do $$ begin if to_regrole('"+login+"') is null then create role "+login+" login password 's'; end if; end $$",
	)
	conn, err := pgx.Connect(t.Context(), f.PG.URLAs(login, "s"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	for i, schema := range schemas {
		mode := []string{"", "_shared"}[i%2]
		key := "hashtextextended('pgtenant." + kind + "." + schema + "', 0)"
		var got bool
		require.NoError(
			t,
			conn.QueryRow(t.Context(), "select pg_try_advisory_lock"+mode+"("+key+") and (select "+
				"bool_and(pg_try_advisory_lock(("+
				key+" & 2147483647)::int, n)) from generate_series(1, 50) n)").
				Scan(&got),
		)
		assert.True(t, got, "the squatter has not got the lock of %s", schema)
	}
	return conn
}

var (
	squatted = map[string]string{
		"00001_notes.sql": basic["00001_notes.sql"],
		"00002_index.sql": "-- +goose NO TRANSACTION\ncreate index concurrently notes_id on notes (id);",
		"00003_body.sql":  basic["00002_body.sql"],
	}
	squattedSchemas = []string{"tenant_1", "tenant_2", "tenant_3"}
)

// TestLocksOfATenantDelayNoMigration lets a role without a runner's privileges take the
// locks, which every role can do. No kind of migration waits for them.
func TestLocksOfATenantDelayNoMigration(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.squat(t, "migrate", "public", "tenant_1", "tenant_2", "tenant_3")
	for _, files := range []map[string]string{squatted, basic} {
		cfg := migrate.Config{
			Shared: []migrate.Source{source("shared", map[string]string{"00001_s.sql": "create table if not exists s ();"})},
			Tenant: []migrate.Source{source("app", files)}, LockTimeout: time.Minute, LockRetries: -1,
		}
		r := f.runnerWith(t, cfg)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		require.NoError(t, r.Migrate(ctx, "public"))
		require.NoError(t, r.Migrate(ctx, "tenant_1"))
		_, err := r.UpAll(ctx, migrate.Schemas(squattedSchemas...), migrate.UpAllOptions{PerTransaction: 2})
		require.NoError(t, err)
		_, err = r.Accept(ctx, "tenant_1")
		require.NoError(t, err)
		for _, schema := range squattedSchemas {
			expectStands(t, r, schema, migrate.Current)
		}
		migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{}, squattedSchemas...))
		cancel()
		for _, schema := range squattedSchemas {
			f.Exec(t, "drop schema "+schema+" cascade; create schema "+schema)
		}
	}
	f.expectNoLocks(t)
}

// expectNoLocks expects that only the squatter holds advisory locks.
func (f fixture) expectNoLocks(t *testing.T) {
	t.Helper()
	var locks int
	f.Scan(
		t,
		`select count(*) from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory'
			and a.datname = current_database()
		and a.usename not like '%squatter'`,
		&locks,
	)
	assert.Equal(t, 0, locks, "%d locks are left", locks)
}

// TestRunnersExcludeEachOtherIfATenantHoldsTheKey runs several runners at once, as a fleet
// and one by one. The key of the schema's lock is held by a tenant.
func TestRunnersExcludeEachOtherIfATenantHoldsTheKey(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.squat(t, "migrate", squattedSchemas...)
	files := map[string]string{
		"00001_a.sql": "create table a (id int);\nselect pg_sleep(0.05);",
		"00002_b.sql": "-- +goose NO TRANSACTION\nselect pg_sleep(0.05);\ninsert into a values (1);",
		"00003_c.sql": "insert into a values (2);",
	}
	results := make(chan error)
	for i := range 6 {
		r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", files)}, LockTimeout: time.Minute})
		go func() {
			if i%2 == 0 {
				results <- r.Migrate(context.Background(), "tenant_1")
				return
			}
			_, err := r.UpAll(context.Background(), migrate.Schemas(squattedSchemas...), migrate.UpAllOptions{})
			results <- err
		}()
	}
	for range 6 {
		require.NoError(t, <-results)
	}
	for _, schema := range squattedSchemas {
		var rows int
		f.Scan(t, "select count(*) from "+schema+".a", &rows)
		assert.Equal(t, 2, rows, schema)
	}
	f.expectNoLocks(t)
}

// TestMarkIsALockAfterTheKeyIsFree checks that a runner which began without the key still has
// the lock when the tenant releases the key.
func TestMarkIsALockAfterTheKeyIsFree(t *testing.T) {
	t.Parallel()
	f := setup(t)
	squatter := f.squat(t, "migrate", "tenant_1")
	entered, leave := make(chan struct{}), make(chan struct{})
	waits := migrate.Source{
		Name: "app",
		Go: []migrate.GoMigration{{Version: 1, Name: "waits", UpNoTx: func(context.Context, *pgx.Conn) error {
			close(entered)
			<-leave
			return nil
		}}},
	}
	done := make(chan error, 1)
	go func() {
		done <- f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{waits}}).Migrate(context.Background(), "tenant_1")
	}()
	<-entered
	require.NoError(t, squatter.Close(t.Context()))
	for free, files := range map[string]map[string]string{"tenant_2": basic, "tenant_3": squatted} {
		other := f.runnerWith(
			t,
			migrate.Config{Tenant: []migrate.Source{source("app", files)}, LockTimeout: 20 * time.Millisecond, LockRetries: -1},
		)
		assert.ErrorIs(t, other.Migrate(t.Context(), "tenant_1"), migrate.ErrLocked)
		report, err := other.UpAll(t.Context(), migrate.Schemas("tenant_1", free), migrate.UpAllOptions{PerTransaction: 2})
		assert.ErrorIs(t, err, migrate.ErrLocked)
		if failed := report.Failed(); assert.Len(t, failed, 1, "report %v", outcomes(report)) {
			assert.Equal(t, "tenant_1", failed[0].Schema, "report %v", outcomes(report))
		}
	}
	close(leave)
	require.NoError(t, <-done)
	f.expectNoLocks(t)
}

// TestLocksOfATenantHideNoScratchSchema checks that a tenant which takes the lock of a
// scratch schema neither keeps it from being dropped nor hides it.
func TestLocksOfATenantHideNoScratchSchema(t *testing.T) {
	t.Parallel()
	f, owner, roles := provisioned(t)
	f.Exec(t, "create schema tenant_9; create table tenant_9.goose_db_version ()")
	for _, sql := range []string{
		"create schema pgtenant_scratch_left", "comment on schema pgtenant_scratch_left is 'pgtenant: builds a reference, " +
			"may be dropped'",
	} {
		_, err := owner.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	f.squat(t, "scratch", "pgtenant_scratch_left", "tenant_9")
	r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{source("app", basic)}})
	require.NoError(t, err)
	report, err := r.UpAll(t.Context(), migrate.Schemas("tenant_1"), migrate.UpAllOptions{})
	require.NoError(t, err)
	expectOutcomes(t, report, "tenant_1 migrated 0 2", "tenant_9 unregistered 0 0")
	options := drift.Options{ReadOptions: drift.ReadOptions{Roles: roles}}
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, options, "tenant_1"))
	var left int
	f.Scan(t, "select count(*) from pg_namespace where nspname like 'pgtenant_scratch%'", &left)
	assert.Equal(t, 0, left, "%d scratch schemas are left", left)
}
