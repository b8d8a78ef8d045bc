package migrate_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

const serializable = "create table level%s as select current_setting('transaction_isolation') as level;"

// prologues are files whose transaction is serializable. They say so in different ways.
var prologues = map[string]string{
	"SET TRANSACTION":         "set transaction isolation level serializable;",
	"with other modes":        "SET TRANSACTION READ WRITE, ISOLATION LEVEL SERIALIZABLE, NOT DEFERRABLE;",
	"SET LOCAL TRANSACTION":   "set local transaction isolation level serializable;",
	"SET SESSION TRANSACTION": "set session transaction isolation level serializable;",
	"a setting":               "set transaction_isolation to 'serializable';",
	"a local setting":         "set local \"transaction_isolation\" = serializable;",
	"behind comments":         "-- Prisma\n/* and more */ set /**/ transaction isolation level serializable;",
	"behind settings": "set local lock_timeout = '1s';\nset statement_timeout to 0;\n" +
		"set transaction isolation level serializable;",
	"said twice": "set transaction isolation level repeatable read;\nset transaction isolation level serializable;",
	"in a block with the others": "-- +goose StatementBegin\nset transaction isolation level serializable; select 1;\n" +
		"-- +goose StatementEnd",
}

// TestSetTransactionIsTheFirstOfItsTransaction checks that the statements which must precede the
// first query of a transaction also precede the runner's queries.
func TestSetTransactionIsTheFirstOfItsTransaction(t *testing.T) {
	t.Parallel()
	for name, set := range prologues {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			file := func(n string) string { return set + "\n" + strings.ReplaceAll(serializable, "%s", n) }
			src := source("app", map[string]string{
				"00001_a.sql": file("_a") + "\n-- +goose Down\n" + set + "\ndrop table level_a;",
				"00002_b.sql": "create table level_b as select current_setting('transaction_isolation') as level;",
				"00003_c.sql": file("_c"),
			})
			for lockName, lock := range everyLock {
				for _, schema := range names(5) {
					f.Exec(t, "drop schema if exists "+schema+" cascade; create schema "+schema)
				}
				r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{src}, Lock: lock})
				require.NoError(t, r.Migrate(t.Context(), "tenant_1"), lockName)
				require.NoError(t, r.MigrateNew(t.Context(), "tenant_2"), lockName)
				plan, err := r.PlanUp(t.Context(), "tenant_3", migrate.Newest)
				require.NoError(t, err)
				f.runScript(t, plan)
				report, err := r.UpAll(t.Context(), migrate.Schemas(names(5)...), migrate.UpAllOptions{PerTransaction: 3})
				require.NoError(t, err, lockName)
				require.Len(t, report.Results, 2)
				for _, schema := range names(5) {
					var levels string
					f.Scan(
						t,
						"select a.level || ', ' || b.level || ', ' || c.level from "+
							schema+".level_a a, "+schema+".level_b b, "+schema+".level_c c",
						&levels,
					)
					assert.Equal(t, "serializable, read committed, serializable", levels, "%s, %s", lockName, schema)
				}
				drift, err := drift.Reference(t.Context(), r, drift.ReadOptions{})
				require.NoError(t, err)
				assert.NotEmpty(t, drift)
			}
		})
	}
}

// runScript runs a plan statement by statement, as psql does.
func (f fixture) runScript(t *testing.T, plan migrate.Plan) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.PG.URL)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, c := range plan.Calls {
		args := make([][]byte, len(c.Args))
		for i, arg := range c.Args {
			args[i] = []byte(arg)
		}
		_, err := conn.PgConn().ExecParams(t.Context(), c.SQL, args, nil, nil, nil).Close()
		require.NoError(t, err, c.SQL)
	}
}

func TestSetTransactionGoesDown(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.Exec(t, "create table public.levels (level text)")
	set := "set transaction isolation level repeatable read;\n"
	r := f.Runner(t, map[string]string{
		"00001_a.sql": "create table a (id int);\n-- +goose Down\n" + set + "insert into public.levels " +
			"select current_setting('transaction_isolation');\ndrop table a;",
		"00002_b.sql": "select 1;\n-- +goose Down\n" + set + "insert into public.levels " +
			"select current_setting('transaction_isolation');",
	})
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	_, err := r.DownTo(t.Context(), "tenant_1", 0)
	require.NoError(t, err)
	var levels string
	f.Scan(t, "select string_agg(level, ', ') from public.levels", &levels)
	assert.Equal(t, "repeatable read, repeatable read", levels)
}

// TestSetTransactionThatFails checks that an error names the statement and its line, although the
// statement was not sent in its place.
func TestSetTransactionThatFails(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]struct{ sql, reason string }{
		"of an unknown level": {"set local lock_timeout = '1s';\nset transaction_isolation = 'none';", "22023"},
		"of no snapshot": {
			"set transaction isolation level repeatable read;\nset transaction snapshot 'none';",
			"22023",
		},
		"behind a query":       {"select 1;\nset transaction isolation level serializable;", "25001"},
		"of the next in order": {"set transaction isolation level serializable;\nselect 1/0;", "22012"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			r := f.Runner(t, map[string]string{"00001_a.sql": file.sql})
			var failure *migrate.Error
			for range 2 {
				require.ErrorAs(t, r.Migrate(t.Context(), "tenant_1"), &failure)
				assert.Equal(t, 2, failure.Statement)
				assert.Equal(t, 3, failure.Line, "the first is the annotation")
				assert.ErrorContains(t, failure, file.reason)
			}
			report, err := r.UpAll(t.Context(), migrate.Schemas("tenant_2"), migrate.UpAllOptions{})
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, "tenant_2 00001_a.sql", failure.Schema+" "+failure.File)
			assert.Equal(t, migrate.Failed, report.Results[0].Outcome)
		})
	}
}

// TestSetTransactionWithOneTransactionForAll checks that, with one transaction for all files, only
// the first pending one may set its modes. Others are refused before anything runs.
func TestSetTransactionWithOneTransactionForAll(t *testing.T) {
	t.Parallel()
	f := setup(t)
	set := "set transaction isolation level serializable;\n"
	files := map[string]string{
		"00001_a.sql": set + strings.ReplaceAll(serializable, "%s", "_a"),
		"00002_b.sql": "create table b (id int);",
		"00003_c.sql": "create table c (id int);\n",
	}
	cfg := migrate.Config{Tenant: []migrate.Source{source("app", files)}, Transactions: migrate.TransactionForAll}
	r := f.runnerWith(t, cfg)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	files["00003_c.sql"] = set + files["00003_c.sql"]
	cfg.Tenant = []migrate.Source{source("app", files)}
	r = f.runnerWith(t, cfg)
	for name, run := range map[string]func() error{
		"a run": func() error { return r.Migrate(t.Context(), "tenant_2") },
		"new":   func() error { return r.MigrateNew(t.Context(), "tenant_2") },
		"plan": func() error {
			_, err := r.PlanUp(t.Context(), "tenant_2", migrate.Newest)
			return err
		},
		"fleet": func() error {
			_, err := r.UpAll(t.Context(), migrate.Schemas("tenant_2"), migrate.UpAllOptions{})
			return err
		},
	} {
		var failure *migrate.Error
		require.ErrorAs(t, run(), &failure, name)
		assert.Equal(
			t,
			"00003_c.sql 1 2",
			failure.File+" "+string(rune('0'+failure.Statement))+" "+string(rune('0'+failure.Line)),
		)
		assert.ErrorContains(t, failure, "use a transaction for each file")
		assert.Empty(t, f.tables(t, "tenant_2"))
	}
	_, err := r.UpTo(t.Context(), "tenant_2", 2)
	require.NoError(t, err)
	require.NoError(t, r.Migrate(t.Context(), "tenant_2"), "the first of those that are pending")
}

func TestSetTransactionReadOnlyIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, sql := range []string{
		"set transaction read only;", "set local transaction isolation level serializable, read only;",
		"set transaction_read_only = on;", "set local transaction_read_only to 'true';",
	} {
		_, err := migrate.New(
			f.PG.Pool,
			migrate.Config{Tenant: []migrate.Source{source("app", map[string]string{"00001_a.sql": "select 1;\n" + sql})}},
		)
		var failure *migrate.ParseError
		require.ErrorAs(t, err, &failure, sql)
		assert.Equal(t, 3, failure.Line)
		assert.ErrorContains(t, err, "only reads")
	}
	r := f.Runner(t, map[string]string{"00001_a.sql": "set transaction read write;\nset transaction_read_only to off;"})
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
}
