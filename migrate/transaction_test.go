package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// separate are files that PostgreSQL accepts one by one and refuses in one transaction.
var separate = map[string]map[string]string{
	"an enum value that is used (55P04)": {
		"00001_a.sql": "create type mood as enum ('new', 'open');\ncreate table t (id int, m mood default 'new');\n" +
			"insert into t values (1);",
		"00002_b.sql": "alter type mood add value 'closed';",
		"00003_c.sql": "update t set m = 'closed';\nalter table t alter m set default 'closed';\n" +
			"create index on t (id) where m = 'closed';",
	},
	"deferred foreign keys, then another shape (55006)": {
		"00001_a.sql": "create table p (id int primary key);\n" +
			"create table c (p int references p deferrable initially deferred);",
		"00002_b.sql": "insert into c values (1);\ninsert into p values (1);",
		"00003_c.sql": "alter table c add column n int not null default 0;\nalter table p add column n int;",
	},
	"a deferred trigger, then its table is dropped": {
		"00001_a.sql": "create table t (id int);\n-- +goose StatementBegin\n" +
			"create function f() returns trigger language plpgsql as $$ begin return null; end $$;\n" +
			"-- +goose StatementEnd\ncreate constraint trigger x after insert on t deferrable initially deferred " +
			"for each row execute function f();",
		"00002_b.sql": "insert into t values (1);",
		"00003_c.sql": "drop table t;\ncreate table u (id int);",
	},
}

// everyLock are the kinds of locks.
var everyLock = map[string]migrate.Lock{
	"advisory": migrate.LockAdvisory,
	"session":  migrate.LockSession,
	"table":    migrate.LockTable,
}

// TestFilesThatNeedATransactionEach checks that these use the same transactions: a tenant that was
// migrated release by release, a new one, a fleet, and the reference of drift.
func TestFilesThatNeedATransactionEach(t *testing.T) {
	t.Parallel()
	for name, files := range separate {
		for lockName, lock := range everyLock {
			t.Run(name+", "+lockName, func(t *testing.T) {
				t.Parallel()
				f := setup(t)
				f.Exec(t, "create schema tenant_4")
				r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", files)}, Lock: lock})
				for version := range int64(3) {
					_, err := r.UpTo(t.Context(), "tenant_1", version+1)
					require.NoError(t, err)
				}
				require.NoError(t, r.Migrate(t.Context(), "tenant_2"))
				require.NoError(t, r.MigrateNew(t.Context(), "tenant_3"))
				report, err := r.UpAll(t.Context(), migrate.Schemas(names(4)...), migrate.UpAllOptions{PerTransaction: 3})
				require.NoError(t, err)
				require.Len(t, report.Results, 1)
				assert.Equal(t, []int64{1, 2, 3}, report.Results[0].Applied)
				migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{}, names(4)...))
			})
		}
		t.Run(name+", in one transaction", func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			r := f.runnerWith(
				t,
				migrate.Config{Tenant: []migrate.Source{source("app", files)}, Transactions: migrate.TransactionForAll},
			)
			_, err := r.UpTo(t.Context(), "tenant_1", 1) // a type created in the same transaction has its values
			require.NoError(t, err)
			before := f.tables(t, "tenant_1")
			res, err := r.Up(t.Context(), "tenant_1")
			var failure *migrate.Error
			require.ErrorAs(t, err, &failure)
			assert.EqualValues(t, 3, failure.Version)
			assert.Empty(t, res.Applied)
			assert.Equal(t, before, f.tables(t, "tenant_1"))
		})
	}
	_, err := migrate.New(setup(t).PG.Pool, migrate.Config{Transactions: migrate.TransactionForAll + 1})
	assert.Error(t, err)
}

// TestFifteenFilesOfAHundredTables creates more tables than the server's lock table has room for.
// Each file alone fits.
func TestFifteenFilesOfAHundredTables(t *testing.T) {
	t.Parallel()
	f, owner, roles := provisioned(t)
	files := make(map[string]string)
	for file := range 15 {
		var sql strings.Builder
		for table := range 100 {
			fmt.Fprintf(&sql, "create table t_%d_%d (id int primary key, s text);\n", file, table)
		}
		files[fmt.Sprintf("%05d_tables.sql", file+1)] = sql.String()
	}
	r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{source("app", files)}})
	require.NoError(t, err)
	require.NoError(t, r.MigrateNew(t.Context(), "tenant_1"))
	before := f.Inventory(t)
	options := drift.Options{ReadOptions: drift.ReadOptions{Roles: roles}}
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, options, "tenant_1"))
	assert.Equal(t, before, f.Inventory(t), "the reference left something")
}

func TestDownRunsEachFileInATransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", map[string]string{
		"00001_a.sql": "-- +goose Up\ncreate table p (id int primary key);\n" +
			"create table c (p int references p deferrable initially deferred);\n-- +goose Down\ndrop table c, p;\n",
		"00002_b.sql": "-- +goose Up\nalter table c add column n int;\n-- +goose Down\nalter table c drop column n;\n",
		"00003_c.sql": "-- +goose Up\nselect 1;\n-- +goose Down\ninsert into c (p) values (1);\ninsert into p values (1);\n",
	}))
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	res, err := r.DownTo(t.Context(), "tenant_1", 0)
	require.NoError(t, err)
	assert.Equal(t, []int64{3, 2, 1}, res.Undone)
	assert.Empty(t, f.tables(t, "tenant_1"))
}

// TestConnectionThatIsLostBetweenTwoFiles checks that the runner finds what the server has
// committed before the connection was lost.
func TestConnectionThatIsLostBetweenTwoFiles(t *testing.T) {
	t.Parallel()
	for name, lock := range everyLock {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fleet(t, 3)
			lost := map[string]string{
				"00001_notes.sql": basic["00001_notes.sql"], "00002_body.sql": basic["00002_body.sql"],
				"00003_lost.sql": "create table lost ();\nselect pg_terminate_backend(pg_backend_pid());\nselect pg_sleep(60);",
			}
			pool := f.poolOf(t, 1, nil)
			r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", lost)}, Lock: lock})
			require.NoError(t, err)
			res, err := r.Up(t.Context(), "tenant_1")
			require.Error(t, err)
			assert.Equal(t, []int64{2}, res.Applied)
			assert.EqualValues(t, 1, res.From)
			assert.EqualValues(t, 2, res.To)
			report, err := r.UpAll(t.Context(), migrate.Schemas("tenant_2", "tenant_3"), migrate.UpAllOptions{})
			require.ErrorIs(t, err, migrate.ErrIncomplete)
			require.Len(t, report.Failed(), 2)
			for _, res := range report.Failed() {
				assert.Equal(t, []int64{2}, res.Applied, res.Schema)
				assert.EqualValues(t, 1, res.From)
			}
			assert.Equal(t, 3, f.at(t, 3))
			lost["00003_lost.sql"] = "create table found ();"
			report, err = f.Runner(t, lost).UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
			require.NoError(t, err)
			assert.Equal(t, 3, report.Count(migrate.Migrated))
			assert.Equal(t, "found notes", f.tables(t, "tenant_2"))
		})
	}
}

// TestContextThatEndsInTheSecondFile ends the context of a function while it runs. The file before
// it stays and is reported.
func TestContextThatEndsInTheSecondFile(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	src := source("app", map[string]string{"00001_notes.sql": basic["00001_notes.sql"]})
	src.Go = []migrate.GoMigration{{Version: 2, Name: "stop", Up: func(ctx context.Context, tx pgx.Tx) error {
		cancel()
		_, err := tx.Exec(ctx, "create table never ()")
		return err
	}}}
	res, err := f.tenant(t, src).Up(ctx, "tenant_1")
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []int64{1}, res.Applied)
	assert.Equal(t, "notes", f.tables(t, "tenant_1"))
}

// TestFleetKeepsTheFilesBeforeAnError lets the second of three files fail in some of the schemas.
// The first stays there, and the report says so.
func TestFleetKeepsTheFilesBeforeAnError(t *testing.T) {
	t.Parallel()
	for name, lock := range everyLock {
		for _, together := range []int{1, 5} {
			t.Run(fmt.Sprint(name, together), func(t *testing.T) {
				t.Parallel()
				f := fleet(t, 6)
				f.Exec(t, "create table tenant_2.second (); create table tenant_5.second ()")
				files := map[string]string{
					"00001_notes.sql": basic["00001_notes.sql"], "00002_body.sql": basic["00002_body.sql"],
					"00003_second.sql": "create table second ();", "00004_third.sql": "create table third ();",
				}
				r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", files)}, Lock: lock})
				opts := migrate.UpAllOptions{PerTransaction: together, Workers: 2}
				report, err := r.UpAll(t.Context(), migrate.Schemas(names(6)...), opts)
				var failure *migrate.Error
				require.ErrorAs(t, err, &failure)
				assert.EqualValues(t, 3, failure.Version)
				expectOutcomes(
					t,
					report,
					"tenant_1 migrated 1 4",
					"tenant_2 failed 1 2",
					"tenant_3 migrated 1 4",
					"tenant_4 migrated 1 4",
					"tenant_5 failed 1 2",
					"tenant_6 migrated 1 4",
				)
				assert.Equal(t, []int64{2}, report.Results[1].Applied)
				assert.Equal(t, []int64{2, 3, 4}, report.Results[5].Applied)
				assert.Equal(t, 6, f.at(t, 6))
				f.Exec(t, "drop table tenant_2.second; drop table tenant_5.second")
				report, err = r.UpAll(t.Context(), migrate.Schemas(names(6)...), opts)
				require.NoError(t, err)
				expectOutcomes(t, report, "tenant_2 migrated 2 4", "tenant_5 migrated 2 4")
				var sums int
				f.Scan(t, `select count(*) from pg_description where objoid = 'tenant_5.goose_db_version'::regclass and
					(select count(*) from regexp_matches(description, '"[1-4]":"[0-9a-f]{16}"', 'g')) = 4`, &sums)
				assert.Equal(t, 1, sums, "not all checksums are there")
			})
		}
	}
}

// TestFileThatFindsALockIsTriedAgainAlone locks a table of the second file. The first file is not
// run again.
func TestFileThatFindsALockIsTriedAgainAlone(t *testing.T) {
	t.Parallel()
	for name, lock := range everyLock {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fleet(t, 2)
			files := map[string]string{
				"00001_notes.sql": basic["00001_notes.sql"],
				"00002_once.sql":  "create table once ();",
				"00003_body.sql":  "alter table notes add column body text;",
			}
			gate, err := f.PG.Pool.Begin(t.Context())
			require.NoError(t, err)
			_, err = gate.Exec(t.Context(), "lock table tenant_1.notes, tenant_2.notes in access share mode")
			require.NoError(t, err)
			cfg := migrate.Config{Tenant: []migrate.Source{source("app", files)}, Lock: lock, LockTimeout: 20e6, LockRetries: -1}
			res, err := f.runnerWith(t, cfg).Up(t.Context(), "tenant_1")
			require.Error(t, err)
			assert.Equal(t, []int64{2}, res.Applied)
			cfg.LockRetries = 100
			r := f.runnerWith(t, cfg)
			done := make(chan error)
			go func() {
				report, err := r.UpAll(context.WithoutCancel(t.Context()), migrate.Schemas(names(2)...), migrate.UpAllOptions{})
				if len(report.Results) == 2 {
					assert.Equal(t, []int64{3}, report.Results[0].Applied)
					assert.Equal(t, []int64{2, 3}, report.Results[1].Applied)
				} else {
					err = errors.Join(err, fmt.Errorf("results %v", outcomes(report)))
				}
				done <- err
			}()
			for there := false; !there; {
				f.Scan(t, "select to_regclass('tenant_2.once') is not null", &there)
			}
			require.NoError(t, gate.Rollback(t.Context()))
			require.NoError(t, <-done)
		})
	}
}

// TestASettingLastsUntilTheEndOfItsFile checks that a SET lasts until the end of its file, however
// files share transactions.
func TestASettingLastsUntilTheEndOfItsFile(t *testing.T) {
	t.Parallel()
	const seen = " as select current_setting('work_mem') as m, current_setting('DateStyle') as d, " +
		"current_setting('TimeZone') as z;"
	files := map[string]string{
		"00001_a.sql": "SET work_mem = '77kB'; set session \"datestyle\" to 'SQL, DMY';\nset time zone 'Asia/Tokyo';\n" +
			"create table first" + seen,
		"00002_b.sql": "create table second" + seen,
	}
	for name, transactions := range map[string]migrate.Transactions{
		"per file": migrate.TransactionPerFile, "for all": migrate.TransactionForAll,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", files)}, Transactions: transactions})
			_, err := r.Up(t.Context(), "tenant_1")
			require.NoError(t, err)
			var m, d, z string
			require.NoError(t, f.PG.Pool.QueryRow(t.Context(), "select m, d, z from tenant_1.first").Scan(&m, &d, &z))
			assert.Equal(t, []string{"77kB", "SQL, DMY", "Asia/Tokyo"}, []string{m, d, z})
			var same bool
			require.NoError(
				t,
				f.PG.Pool.QueryRow(t.Context(), `select m = current_setting('work_mem') and d = current_setting('DateStyle')
				and z = current_setting('TimeZone') from tenant_1.second`).Scan(&same),
			)
			assert.True(t, same, "the second file has the settings of the first")
		})
	}
}

// TestErrorOfAStatementThatNeedsNoTransaction checks that the error says what the file needs if
// PostgreSQL refuses the statement in a transaction, and only then.
func TestErrorOfAStatementThatNeedsNoTransaction(t *testing.T) {
	t.Parallel()
	const hint = "in a file with the annotation NO TRANSACTION"
	f := setup(t)
	for sql, hinted := range map[string]bool{
		"create index concurrently on pg_temp.t (id);": true,
		"vacuum;": true,
		"-- +goose StatementBegin\ndo $$ begin execute 'vacuum'; end $$;\n-- +goose StatementEnd": true,
		"set transaction isolation level serializable;":                                           false, // 25001 too
		"select 1/0;": false,
	} {
		err := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", map[string]string{
			"00001_a.sql": "create temporary table t (id int);\n" + sql,
		})}}).Migrate(t.Context(), "tenant_1")
		require.Error(t, err, sql)
		assert.Equal(t, hinted, strings.Contains(err.Error(), hint), "%v", err)
	}
}
