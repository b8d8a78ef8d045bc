package migrate_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// concurrentFiles create indexes in every way that PostgreSQL has. The words in the string, the
// comment and the quoted name are not part of the statements.
var concurrentFiles = map[string]string{
	"00001_a.sql": "-- +goose Up\ncreate table t (id int, s text);\ninsert into t values (1, 'a');\n" +
		"create index old on t (id);\n" +
		"create materialized view m as select id from t;\ncreate unique index on m (id);\n" +
		"create table p (id int) partition by range (id);\ncreate table p1 partition of p for values from (0) to (10);\n",
	"00002_b.sql": `-- +goose NO TRANSACTION
-- +goose Up
create index concurrently t_s on t (s);
create /* concurrently */ unique index CONCURRENTLY if not exists "concurrently ""x" on only t (s)
	where s <> 'create index concurrently y on t (s)';
create index concurrently on t (s, id);
reindex (concurrently) index old;
reindex (verbose, concurrently) table t;
reindex table concurrently t;
refresh materialized view concurrently m;
alter table p detach partition "p1" concurrently;
drop index concurrently old;
vacuum analyze t;
-- +goose Down
drop index concurrently t_s;
`,
	"00003_c.sql": "-- +goose Up\nalter table t add column n int;\n",
}

// snapshot opens a transaction with a snapshot. It ends with the test, or when end is called.
func (f fixture) snapshot(t *testing.T) (end func()) {
	t.Helper()
	cfg := f.PG.Pool.Config().ConnConfig.Copy()
	cfg.RuntimeParams["application_name"] = "a report"
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	require.NoError(t, err)
	_, err = conn.Exec(
		t.Context(),
		"begin isolation level repeatable read; select count(*) from pg_class",
		pgx.QueryExecModeSimpleProtocol,
	)
	require.NoError(t, err)
	end = func() { _ = conn.Close(context.WithoutCancel(t.Context())) } // an error means that it is closed already
	t.Cleanup(end)
	return end
}

// indexes returns the names of the indexes of the table t of a schema. Invalid ones are in
// capitals.
func (f fixture) indexes(t *testing.T, schema string) (names string) {
	t.Helper()
	f.Scan(
		t,
		`select coalesce(string_agg(case when x.indisvalid then c.relname else upper(c.relname) end, ' '
			order by c.relname collate "C"), '')
		from pg_index x join pg_class c on c.oid = x.indexrelid where x.indrelid = '`+schema+`.t'::regclass`,
		&names,
	)
	return names
}

const allIndexes = `concurrently "x t_s t_s_id_idx`

// TestUnusedSchemasDoNotWaitForSnapshots creates new schemas and the reference of drift while
// another session holds a snapshot, for which CONCURRENTLY would wait.
func TestUnusedSchemasDoNotWaitForSnapshots(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.runnerWith(
		t,
		migrate.Config{Tenant: []migrate.Source{texts("app", concurrentFiles)}, LockTimeout: 50 * time.Millisecond},
	)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	f.snapshot(t)
	require.NoError(t, r.MigrateNew(t.Context(), "tenant_2"))
	require.NoError(t, r.MigrateUnused(t.Context(), "tenant_3"))
	for _, schema := range names(3) {
		assert.Equal(t, allIndexes, f.indexes(t, schema), schema)
	}
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{}, names(3)...))
}

// TestIndexesOfPartitionedTablesAreRefusedInUnusedSchemasToo checks that a statement which
// PostgreSQL refuses in every schema in use fails in new schemas too.
func TestIndexesOfPartitionedTablesAreRefusedInUnusedSchemasToo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, statement := range []string{
		"create index concurrently p_id on p (id)", `create index concurrently if not exists p_id on only "p" (id)`,
		"drop index concurrently p_old", "drop index concurrently if exists p_old",
	} {
		r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{texts("app", map[string]string{
			"00001_a.sql": "-- +goose Up\ncreate table p (id int) partition by range (id);\ncreate index p_old on p (id);\n",
			"00002_b.sql": "-- +goose NO TRANSACTION\n-- +goose Up\n" + statement + ";\n",
		})}})
		for schema, run := range map[string]func(context.Context, string) error{
			"tenant_1": r.Migrate, "tenant_2": r.MigrateUnused,
		} {
			var failure *migrate.Error
			require.ErrorAs(t, run(t.Context(), schema), &failure, "%s in %s", statement, schema)
			assert.Equal(t, "0A000", failure.SQLState(), "%s in %s", statement, schema)
		}
	}
}

// TestConcurrentIndexWaitsForSnapshotsWithinABound checks that a schema in use waits for longer
// than a lock timeout, and that the error names the sessions it waits for. The next run drops what
// is half made and creates it again.
func TestConcurrentIndexWaitsForSnapshotsWithinABound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cfg := migrate.Config{
		Tenant:            []migrate.Source{texts("app", concurrentFiles)},
		LockTimeout:       50 * time.Millisecond,
		ConcurrentTimeout: 300 * time.Millisecond,
	}
	_, err := f.runnerWith(t, cfg).UpTo(t.Context(), "tenant_1", 1)
	require.NoError(t, err)
	end := f.snapshot(t)
	res, err := f.runnerWith(t, cfg).Up(t.Context(), "tenant_1")
	var blocked *migrate.BlockedError
	var failure *migrate.Error
	require.ErrorAs(t, err, &blocked)
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, 1, failure.Statement)
	assert.Equal(t, "55P03", failure.SQLState())
	assert.Empty(t, res.Applied)
	require.Len(t, blocked.Blockers, 1)
	b := blocked.Blockers[0]
	assert.Equal(t, "a report", b.Application)
	assert.Equal(t, "idle in transaction", b.State)
	assert.NotZero(t, b.PID)
	assert.GreaterOrEqual(t, b.Age, cfg.ConcurrentTimeout)
	assert.Contains(t, err.Error(), "a report")
	assert.Equal(t, "old T_S", f.indexes(t, "tenant_1"))

	cfg.ConcurrentTimeout = time.Minute
	done := make(chan error)
	go func() {
		done <- f.runnerWith(t, cfg).Migrate(context.WithoutCancel(t.Context()), "tenant_1")
	}()
	for n := 0; n == 0; { // it waits for longer than the lock timeout
		f.Scan(
			t,
			`select count(*) from pg_stat_activity where datname = current_database()
				and query ~ '^(drop|create) index concurrently'
			and wait_event_type = 'Lock' and clock_timestamp() - query_start > interval '150 ms'`,
			&n,
		)
	}
	end()
	require.NoError(t, <-done)
	assert.Equal(t, allIndexes, f.indexes(t, "tenant_1"))
}

// TestHalfMadeIndexesAreMadeAgain checks that a migration which counts as applied has no half-made
// indexes of an interrupted run.
func TestHalfMadeIndexesAreMadeAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", concurrentFiles))
	for _, schema := range names(3) {
		_, err := r.UpTo(t.Context(), schema, 1)
		require.NoError(t, err)
		f.Exec(
			t,
			`create index t_s on `+schema+`.t (s); create index on `+schema+`.t (s, id);
			create index old_ccnew on `+schema+`.t (id);
			create unique index "concurrently ""x" on `+schema+`.t (s) where s <> 'create index concurrently y on t (s)';
			create index foreign_one on `+schema+`.t (id, s)`,
		)
		f.Exec(
			t,
			`update pg_index set indisvalid = false where indrelid = '`+schema+`.t'::regclass
				and indexrelid <> '`+schema+`.old'::regclass`,
		)
	}
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	require.NoError(t, r.MigrateUnused(t.Context(), "tenant_2"))
	_, err := r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
	require.NoError(t, err)
	for _, schema := range names(3) { // an index of no migration stays as it is, or REINDEX TABLE builds it
		left := strings.Replace(f.indexes(t, schema), "FOREIGN_ONE", "foreign_one", 1)
		assert.Contains(
			t,
			[]string{`concurrently "x foreign_one t_s t_s_id_idx`, `concurrently "x foreign_one t_s t_s_id_idx1`},
			left,
			schema,
		)
	}
}

// TestIndexThatCannotBeBuiltIsNotApplied creates a unique index on duplicates, which fails. The
// migration runs again when they are gone.
func TestIndexThatCannotBeBuiltIsNotApplied(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for kind, create := range map[string]string{
		"tenant_1": "create unique index concurrently u on t (s);",
		"tenant_2": "create unique index concurrently if not exists u on t (s);",
		"tenant_3": "create unique index concurrently on t (s);",
	} {
		files := map[string]string{
			"00001_a.sql": "create table t (s text);\ninsert into t values ('x'), ('x');",
			"00002_b.sql": "-- +goose NO TRANSACTION\n" + create,
		}
		r := f.Runner(t, files)
		for range 2 {
			_, err := r.Up(t.Context(), kind)
			var failure *migrate.Error
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, "23505", failure.SQLState())
		}
		f.Exec(t, "delete from "+kind+".t where ctid = (select min(ctid) from "+kind+".t)")
		require.NoError(t, r.Migrate(t.Context(), kind))
		got := f.indexes(t, kind)
		assert.Equal(t, strings.ToLower(got), got, "there are indexes that are not valid")
		assert.Len(t, strings.Fields(got), 1)
	}
}

func TestFunctionThatLeavesAnInvalidIndex(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := source("app", map[string]string{"00001_a.sql": "create table t (s text);\ninsert into t values ('x'), ('x');"})
	src.Go = []migrate.GoMigration{{Version: 2, Name: "index", UpNoTx: func(ctx context.Context, conn *pgx.Conn) error {
		_, _ = conn.Exec(ctx, "create unique index concurrently if not exists u on t (s)")
		return nil // the function hides the error
	}}}
	for range 2 {
		_, err := f.tenant(t, src).Up(t.Context(), "tenant_1")
		var invalid *migrate.InvalidIndexError
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, migrate.InvalidIndexError{Schema: "tenant_1", Table: "t", Index: "u"}, *invalid)
	}
	status, err := f.tenant(t, src).Status(t.Context(), "tenant_1")
	require.NoError(t, err)
	assert.Equal(t, []int64{2}, status.Versions(migrate.Pending))
}

// TestDetachThatWasInterruptedIsFinalized checks that a run completes the interrupted detaching of
// a partition.
func TestDetachThatWasInterruptedIsFinalized(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cfg := migrate.Config{Tenant: []migrate.Source{texts("app", map[string]string{
		"00001_a.sql": "-- +goose Up\ncreate table p (id int) partition by range (id);\n" +
			"create table p1 partition of p for values from (0) to (10);\n",
		"00002_b.sql": "-- +goose NO TRANSACTION\n-- +goose Up\nalter table p detach partition p1 concurrently;\n",
	})}, ConcurrentTimeout: 100 * time.Millisecond}
	_, err := f.runnerWith(t, cfg).UpTo(t.Context(), "tenant_1", 1)
	require.NoError(t, err)
	tx, err := f.PG.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select * from tenant_1.p")
	require.NoError(t, err)
	var blocked *migrate.BlockedError
	require.ErrorAs(t, f.runnerWith(t, cfg).Migrate(t.Context(), "tenant_1"), &blocked)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, f.runnerWith(t, cfg).Migrate(t.Context(), "tenant_1"))
	var partitions int
	f.Scan(t, "select count(*) from pg_inherits where inhparent = 'tenant_1.p'::regclass", &partitions)
	assert.Zero(t, partitions)
}
