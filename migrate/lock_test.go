package migrate_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

// TestSettingsOfAMigrationEndWithIt checks that each migration begins with the settings of its
// schema, whatever the one before has set.
func TestSettingsOfAMigrationEndWithIt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	role := f.PG.RolePrefix + "_other"
	f.Exec(t, "create role "+role+"; create schema elsewhere; grant all on schema elsewhere to "+role)
	files := map[string]string{
		"00001_a.sql": "set local search_path to elsewhere;\nset local work_mem = '123kB';\n" +
			"set local time zone 'Asia/Tokyo';\nset local role " + role + ";\ncreate table moved ();",
		"00002_b.sql": "create table b as select current_user as who, current_setting('work_mem') as mem, " +
			"current_setting('TimeZone') as zone;",
		"00003_c.sql": "do $$ begin perform set_config('search_path', 'elsewhere', true); " +
			"perform set_config('role', '" + role + "', true); end $$;",
		"00004_d.sql": "create table d ();",
	}
	require.NoError(t, f.Runner(t, files).Migrate(t.Context(), "tenant_1"))
	assert.Equal(t, "b d", f.tables(t, "tenant_1"), "tables")
	var same bool
	f.Scan(
		t,
		"select who = current_user and mem = current_setting('work_mem') and zone = current_setting('TimeZone') "+
			"from tenant_1.b",
		&same,
	)
	assert.True(t, same, "role, work_mem or time zone stayed")
}

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cfg := migrate.Config{
		Tenant:           []migrate.Source{source("app", map[string]string{"00001_a.sql": "select pg_sleep(60);"})},
		StatementTimeout: 20 * time.Millisecond,
	}
	err := f.runnerWith(t, cfg).Migrate(t.Context(), "tenant_1")
	var failure *migrate.Error
	if assert.ErrorAs(t, err, &failure) {
		assert.Equal(t, "57014", failure.SQLState())
	}
}

func TestEachLockKeepsRunnersApart(t *testing.T) {
	t.Parallel()
	for _, lock := range []migrate.Lock{migrate.LockAdvisory, migrate.LockSession, migrate.LockTable} {
		f := setup(t)
		files := map[string]string{
			"00001_a.sql": "create table a (id int);\nselect pg_sleep(0.05);",
			"00002_b.sql": "insert into a values (1);",
		}
		cfg := migrate.Config{Tenant: []migrate.Source{source("app", files)}, Lock: lock}
		results := make(chan error)
		for range 6 {
			go func() { results <- f.runnerWith(t, cfg).Migrate(context.Background(), "tenant_1") }()
		}
		for range 6 {
			assert.NoError(t, <-results, "lock %d", lock)
		}
		var rows, locks int
		f.Scan(t, "select count(*) from tenant_1.a", &rows)
		f.Scan(
			t,
			"select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database "+
				"where datname = current_database())",
			&locks,
		)
		assert.Equal(t, 1, rows, "lock %d: applied %d times, %d locks left", lock, rows, locks)
		assert.Equal(t, 0, locks, "lock %d: applied %d times, %d locks left", lock, rows, locks)
	}
}

func TestTableLockRefusesWhatNeedsASession(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := source(
		"app",
		map[string]string{"00001_a.sql": "create table a ();", "00002_b.sql": "-- +goose NO TRANSACTION\nselect 1;"},
	)
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{src}, Lock: migrate.LockTable})
	assert.ErrorIs(t, r.Migrate(t.Context(), "tenant_1"), migrate.ErrNeedsSession)
	assert.Empty(t, f.tables(t, "tenant_1"), "tables")
	_, err := r.UpTo(t.Context(), "tenant_1", 1)
	require.NoError(t, err)
}

func TestNoTransactionIsNotRunTwiceForALock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.Exec(t, "create table tenant_1.a (id int)")
	tx, err := f.PG.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "lock table tenant_1.a")
	require.NoError(t, err)
	src := source(
		"app",
		map[string]string{"00001_b.sql": "-- +goose NO TRANSACTION\ncreate table b ();\nalter table a add b int;"},
	)
	cfg := migrate.Config{Tenant: []migrate.Source{src}, LockTimeout: 10 * time.Millisecond}
	err = f.runnerWith(t, cfg).Migrate(t.Context(), "tenant_1")
	var failure *migrate.Error
	if assert.ErrorAs(t, err, &failure) && assert.Equal(t, 2, failure.Statement) {
		assert.Equal(t, "55P03", failure.SQLState())
	}
	require.NoError(t, tx.Rollback(t.Context()))
}
