package migrate_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

func TestSchemasPerTransaction(t *testing.T) {
	t.Parallel()
	f := fleet(t, 23)
	f.Exec(t, "alter table tenant_7.notes add column body text")
	report, err := f.Runner(t, basic).
		UpAll(t.Context(), migrate.Schemas(names(23)...), migrate.UpAllOptions{PerTransaction: 10, Workers: 2})
	assert.ErrorIs(t, err, migrate.ErrIncomplete)
	assert.Equal(t, 22, report.Count(migrate.Migrated), "report %v", outcomes(report))
	if failed := report.Failed(); assert.Len(t, failed, 1, "report %v", outcomes(report)) {
		assert.Equal(t, "tenant_7", failed[0].Schema, "report %v", outcomes(report))
	}
	f.Exec(t, "alter table tenant_7.notes drop column body")
	_, err = f.Runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(23)...), migrate.UpAllOptions{PerTransaction: 10})
	require.NoError(t, err)
	assert.Equal(t, 23, f.at(t, 23), "schemas are migrated")
	var transactions int // of the group in which nothing failed
	f.Scan(
		t,
		"select count(distinct x::text) from (values "+strings.Join(subqueries(names(20)[10:]), ", ")+") v (x)",
		&transactions,
	)
	assert.Equal(t, 1, transactions)
}

func subqueries(schemas []string) []string {
	var parts []string
	for _, s := range schemas {
		parts = append(parts, fmt.Sprintf("((select xmin from %s.goose_db_version where version_id = 2))", s))
	}
	return parts
}

func TestTwoFleetsAtOnceApplyOnce(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]migrate.Lock{
		"advisory": migrate.LockAdvisory, "table": migrate.LockTable, "session": migrate.LockSession,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fleet(t, 20)
			var wg sync.WaitGroup
			var migrated atomic.Int32
			for i := range 4 {
				pool, err := pgxpool.New(t.Context(), f.PG.URL)
				require.NoError(t, err)
				defer pool.Close()
				r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", basic)}, Lock: lock})
				require.NoError(t, err)
				opts := migrate.UpAllOptions{Workers: 3, PerTransaction: 1 + i*3}
				if i == 1 {
					opts.Order = func(a, b string) int { return strings.Compare(b, a) }
				}
				wg.Go(func() {
					report, err := r.UpAll(t.Context(), migrate.Schemas(names(20)...), opts)
					assert.NoError(t, err, "report %v", outcomes(report))
					assert.Equal(t, 20, report.Current+report.Count(migrate.Migrated), "report %v", outcomes(report))
					migrated.Add(int32(report.Count(migrate.Migrated)))
				})
			}
			wg.Wait()
			n := f.at(t, 20)
			assert.Equal(t, 20, n, "%d schemas are migrated, %d times in all", n, migrated.Load())
			assert.Equal(t, int32(20), migrated.Load(), "%d schemas are migrated, %d times in all", n, migrated.Load())
		})
	}
}

func TestPoolOfOneConnection(t *testing.T) {
	t.Parallel()
	f := fleet(t, 70)
	f.Exec(t, "alter table tenant_7.notes add column body text")
	for _, connections := range []string{"1", "2"} {
		pool, err := pgxpool.New(t.Context(), f.PG.URL+"&pool_max_conns="+connections)
		require.NoError(t, err)
		defer pool.Close()
		r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", basic)}})
		require.NoError(t, err)
		report, err := r.UpAll(t.Context(), migrate.Schemas(names(70)...), migrate.UpAllOptions{Limit: 35})
		assert.ErrorIs(t, err, migrate.ErrIncomplete)
		assert.Equal(t, 1, report.Count(migrate.Failed), report.Summary())
		assert.GreaterOrEqual(t, report.Count(migrate.Migrated), 34, report.Summary())
		var prepared int
		require.NoError(
			t,
			pool.QueryRow(t.Context(), "select count(*) from pg_prepared_statements where name like 'pgtenant%'").
				Scan(&prepared),
		)
		assert.Equal(t, 0, prepared, "%d statements are left on the connection", prepared)
	}
}

func TestFleetOfGoAndNoTransactionMigrations(t *testing.T) {
	t.Parallel()
	f := fleet(t, 5)
	src := source("app", map[string]string{
		"00001_notes.sql": basic["00001_notes.sql"],
		"00002_body.sql":  "set local work_mem = '123kB';\nalter table notes add column body text;",
		"00003_index.sql": "-- +goose NO TRANSACTION\ncreate index concurrently if not exists notes_body on notes (body);",
	})
	src.Go = []migrate.GoMigration{{Version: 4, Name: "fill", Up: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "update notes set body = current_schema()")
		return err
	}}}
	report, err := f.tenant(t, src).
		UpAll(t.Context(), migrate.Schemas(names(5)...), migrate.UpAllOptions{PerTransaction: 5})
	require.NoError(t, err)
	for _, name := range names(5) {
		var body string
		f.Scan(t, "select body from "+name+".notes", &body)
		assert.Equal(t, name, body)
	}
	if assert.Equal(t, 5, report.Count(migrate.Migrated), "report %+v", report.Results) {
		assert.Equal(t, []int64{2, 3, 4}, report.Results[0].Applied, "report %+v", report.Results)
	}
}

func TestChecksumsOfAFleetAreKept(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	f.Exec(t, "comment on table tenant_3.goose_db_version is 'mine'")
	_, err := f.Runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{PerTransaction: 3})
	require.NoError(t, err)
	edited := map[string]string{"00001_notes.sql": "select 1;", "00002_body.sql": "select 2;"}
	for name, want := range map[string]int{"tenant_1": 2, "tenant_2": 2, "tenant_3": 0} {
		status, err := f.Runner(t, edited).Status(t.Context(), name)
		require.NoError(t, err)
		n := len(status.Versions(migrate.Changed))
		assert.Equal(t, want, n, "%s: %d of 2 files are known to be edited", name, n)
		at := status.Migrations[1].AppliedAt
		assert.LessOrEqual(t, time.Since(at).Abs(), time.Minute, "%s: applied at %v", name, at)
	}
	cfg := migrate.Config{Tenant: []migrate.Source{source("app", edited)}, Changed: migrate.Refuse}
	report, err := f.runnerWith(t, cfg).UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
	assert.ErrorIs(t, err, migrate.ErrChanged)
	expectOutcomes(t, report, "tenant_1 edited 2 2", "tenant_2 edited 2 2")
}

func TestPrivilegesOnTheVersionTableAreRevokedAgain(t *testing.T) {
	t.Parallel()
	f := fleet(t, 2)
	role := f.PG.RolePrefix + "_tenant"
	f.Exec(t, fmt.Sprintf("create role %[1]s; grant insert on tenant_1.goose_db_version to %[1]s", role))
	_, err := f.Runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(2)...), migrate.UpAllOptions{PerTransaction: 2})
	require.NoError(t, err)
	var granted bool
	f.Scan(t, fmt.Sprintf("select has_table_privilege('%s', 'tenant_1.goose_db_version', 'insert')", role), &granted)
	n := f.at(t, 2)
	assert.False(t, granted, "granted %t, %d migrated", granted, n)
	assert.Equal(t, 2, n, "granted %t, %d migrated", granted, n)
}

// counter counts the queries that pgx sends.
type counter struct{ queries atomic.Int32 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.queries.Add(1)
	return ctx
}

func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestFilesOfAFleetAreComparedTogether(t *testing.T) {
	t.Parallel()
	f := fleet(t, 40)
	pool, err := pgxpool.ParseConfig(f.PG.URL)
	require.NoError(t, err)
	count := &counter{}
	pool.ConnConfig.Tracer = count
	db, err := pgxpool.NewWithConfig(t.Context(), pool)
	require.NoError(t, err)
	defer db.Close()
	run := func(files map[string]string) migrate.Report {
		r, err := migrate.New(db, migrate.Config{Tenant: []migrate.Source{source("app", files)}, Changed: migrate.Refuse})
		require.NoError(t, err)
		report, _ := r.UpAll(t.Context(), migrate.Schemas(names(40)...), migrate.UpAllOptions{})
		return report
	}
	report := run(basic)
	assert.Equal(t, 40, report.Count(migrate.Migrated), report.Summary())
	f.Exec(t, "comment on table tenant_7.goose_db_version is null") // no checksums are known
	edited := map[string]string{"00001_notes.sql": basic["00001_notes.sql"], "00002_body.sql": "select 2;"}
	count.queries.Store(0)
	report = run(edited)
	assert.Equal(t, 39, report.Count(migrate.Edited), report.Summary())
	assert.Equal(t, 1, report.Current, report.Summary())
	assert.LessOrEqual(t, count.queries.Load(), int32(10), "queries for 40 schemas")
}
