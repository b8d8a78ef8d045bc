package migrate_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// The shared parts of the fixture have short names here.
var (
	source = migratetest.Source
	basic  = migratetest.Basic
	names  = migratetest.Names
)

// fixture is a database with the empty schemas tenant_1 to tenant_3.
type fixture struct{ migratetest.Fixture }

func setup(t *testing.T) fixture {
	t.Helper()
	return fixture{migratetest.New(t)}
}

// provisioned returns a fixture whose schemas are provisioned for tenants, a pool of their owner,
// and the roles.
func provisioned(t *testing.T) (fixture, *pgxpool.Pool, schemactx.RoleNames) {
	t.Helper()
	f, owner, roles := migratetest.NewProvisioned(t)
	return fixture{f}, owner, roles
}

func (f fixture) runnerWith(t *testing.T, cfg migrate.Config) *migrate.Runner {
	t.Helper()
	r, err := migrate.New(f.PG.Pool, cfg)
	require.NoError(t, err)
	return r
}

func TestUpAppliesInOrderAndOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.Runner(t, basic)
	res, err := r.Up(t.Context(), "tenant_1")
	require.NoError(t, err)
	assert.Zero(t, res.From, "result %+v", res)
	assert.Equal(t, int64(2), res.To, "result %+v", res)
	assert.Equal(t, []int64{1, 2}, res.Applied, "result %+v", res)
	res, err = r.Up(t.Context(), "tenant_1")
	require.NoError(t, err)
	assert.Equal(t, int64(2), res.From, "second result %+v", res)
	assert.Equal(t, int64(2), res.To, "second result %+v", res)
	assert.Nil(t, res.Applied, "second result %+v", res)
	var notes, others int
	f.Scan(t, "select count(*) from tenant_1.notes", &notes)
	f.Scan(
		t,
		"select count(*) from pg_class where relname = 'notes' and relnamespace <> 'tenant_1'::regnamespace",
		&others,
	)
	assert.Equal(t, 1, notes, "%d notes, %d tables in other schemas", notes, others)
	assert.Equal(t, 0, others, "%d notes, %d tables in other schemas", notes, others)
	status, err := r.Status(t.Context(), "tenant_2")
	require.NoError(t, err)
	if assert.Empty(t, status.Versions(migrate.Applied), "status of an untouched schema: %+v", status) {
		assert.Equal(t, []int64{1, 2}, status.Versions(migrate.Pending), "status of an untouched schema: %+v", status)
	}
}

// queries counts the queries of a pool.
type queries struct{ n atomic.Int32 }

func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	q.n.Add(1)
	return ctx
}
func (*queries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestNothingPendingIsOneQuery(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cfg, err := pgxpool.ParseConfig(f.PG.URL)
	require.NoError(t, err)
	counter := &queries{}
	cfg.ConnConfig.Tracer = counter
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", basic)}})
	require.NoError(t, err)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	counter.n.Store(0)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	assert.Equal(t, int32(1), counter.n.Load(), "queries, want 1")
}

func TestFailureUndoesItsFileAndNamesTheStatement(t *testing.T) {
	t.Parallel()
	f := setup(t)
	files := map[string]string{
		"00001_a.sql": "create table a (id int);",
		"00002_b.sql": "create table b (id int);\n\ninsert into b values (1);\ninsert into nowhere values (1);\n" +
			"create table c ();",
	}
	res, err := f.Runner(t, files).Up(t.Context(), "tenant_1")
	var failure *migrate.Error
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &failure)
	require.ErrorAs(t, err, &pgErr)
	require.Equal(t, "42P01", pgErr.Code)
	assert.Equal(t, "tenant_1", failure.Schema, "failure %+v", failure)
	assert.Equal(t, "app", failure.Source, "failure %+v", failure)
	assert.Equal(t, "00002_b.sql", failure.File, "failure %+v", failure)
	assert.Equal(t, int64(2), failure.Version, "failure %+v", failure)
	assert.Equal(t, 3, failure.Statement, "failure %+v", failure)
	assert.Equal(t, 5, failure.Line, "failure %+v", failure)
	assert.Equal(t, []int64{1}, res.Applied, "result %+v", res)
	assert.Equal(t, int64(1), res.To, "result %+v", res)
	assert.Equal(t, migrate.Failed, res.Outcome, "result %+v", res)
	got := f.tables(t, "tenant_1")
	assert.Equal(t, "a", got, "tables %q are left", got)
	files["00002_b.sql"] = "create table b (id int);"
	res, err = f.Runner(t, files).Up(t.Context(), "tenant_1")
	require.NoError(t, err)
	assert.Equal(t, int64(2), res.To, "after the repair: %+v", res)
}

func TestSharedSetGoesToPublic(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.runnerWith(t, migrate.Config{
		Shared: []migrate.Source{source("platform", map[string]string{"00001_plans.sql": "create table plans ();"})},
		Tenant: []migrate.Source{source("app", basic)},
	})
	require.NoError(t, r.Migrate(t.Context(), "public"))
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	var ok bool
	f.Scan(
		t,
		"select to_regclass('public.plans') is not null and to_regclass('public.notes') is null "+
			"and to_regclass('tenant_1.plans') is null",
		&ok,
	)
	assert.True(t, ok, "the sets are mixed up")
}

func TestSeveralSourcesInOneSet(t *testing.T) {
	t.Parallel()
	f := setup(t)
	library := source("library", map[string]string{"00100_lib.sql": "create table lib ();"})
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{library, source("app", basic)}})
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))

	more := map[string]string{
		"00003_more.sql":  "create table more ();",
		"00001_notes.sql": basic["00001_notes.sql"],
		"00002_body.sql":  basic["00002_body.sql"],
	}
	r = f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{library, source("app", more)}})
	res, err := r.Up(t.Context(), "tenant_1") // 3 is not out of order: 100 is of another source
	require.NoError(t, err)
	assert.Equal(t, []int64{3}, res.Applied, "applied")
	_, err = migrate.New(f.PG.Pool, migrate.Config{Tenant: []migrate.Source{source("one", basic), source("two", basic)}})
	var parseErr *migrate.ParseError
	assert.ErrorAs(t, err, &parseErr, "two files of one version")
}

func TestTheVersionOfTenantsChangesWithTheirMigrations(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nowhere.invalid/x")
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	version := func(sources ...migrate.Source) string {
		r, err := migrate.New(pool, migrate.Config{Tenant: sources})
		require.NoError(t, err)
		return r.TenantVersion()
	}
	library := source("library", map[string]string{"00100_lib.sql": "create table lib ();"})
	before := version(source("app", basic), library)
	assert.Equal(t, before, version(library, source("app", basic)), "the order of the sources matters: %s", before)
	other := version(source("app", map[string]string{"00002_a.sql": "", "00003_b.sql": ""}), library)
	more := version(source("app", map[string]string{"00001_a.sql": "", "00002_b.sql": "", "00003_c.sql": ""}), library)
	assert.NotEqual(t, before, other, "before %s, as many others %s, one more %s", before, other, more)
	assert.Greater(t, more, before, "before %s, as many others %s, one more %s", before, other, more)
	assert.Greater(t, more, other, "before %s, as many others %s, one more %s", before, other, more)
	none := version()
	assert.NotEmpty(t, none, "no migrations")
	assert.Less(t, none, before, "no migrations")
}

func TestVersionsThatDoNotFit(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.Runner(t, basic).Migrate(t.Context(), "tenant_1"))
	older := map[string]string{"00001_notes.sql": basic["00001_notes.sql"]}
	assert.ErrorIs(t, f.Runner(t, older).Migrate(t.Context(), "tenant_1"), migrate.ErrUnknownVersion)

	require.NoError(t,
		f.Runner(t, map[string]string{"00002_x.sql": "create table x ();"}).Migrate(t.Context(), "tenant_2"))
	late := map[string]string{"00001_y.sql": "create table y ();", "00002_x.sql": "create table x ();"}
	assert.ErrorIs(t, f.Runner(t, late).Migrate(t.Context(), "tenant_2"), migrate.ErrOutOfOrder)
}

func TestSchemaThatIsNotThere(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.Runner(t, basic)
	assert.ErrorIs(t, r.Migrate(t.Context(), "tenant_9"), migrate.ErrSchemaMissing)
	var leaked bool
	f.Scan(t, "select to_regclass('public.notes') is not null or to_regnamespace('tenant_9') is not null", &leaked)
	assert.False(t, leaked, "something was made")
	for _, name := range []string{"", "Tenant_1", `x"; drop schema tenant_1; --`, "pg_catalog", "a,b"} {
		var nameErr *schemactx.NameError
		err := r.Migrate(t.Context(), name)
		assert.ErrorAs(t, err, &nameErr, "schema %q", name)
	}
}

func TestTwoRunnersApplyOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var wg sync.WaitGroup
	var applied atomic.Int32
	for range 8 {
		r := f.Runner(t, basic)
		wg.Go(func() {
			res, err := r.Up(t.Context(), "tenant_1")
			assert.NoError(t, err)
			applied.Add(int32(len(res.Applied)))
		})
	}
	wg.Wait()
	assert.Equal(t, int32(2), applied.Load(), "%d applied in all, want 2", applied.Load())
}

func TestNoTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := source("app", map[string]string{
		"00001_notes.sql": "create table notes (id int);",
		"00002_index.sql": "-- +goose NO TRANSACTION\nset work_mem = '123kB';\n" +
			"create index concurrently notes_id on notes (id);",
		"00003_more.sql": "create table more ();",
	})
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{src}})
	res, err := r.Up(t.Context(), "tenant_1")
	require.NoError(t, err)
	assert.Equal(t, []int64{1, 2, 3}, res.Applied, "applied")
	var there bool
	f.Scan(t, "select to_regclass('tenant_1.notes_id') is not null and to_regclass('tenant_1.more') is not null", &there)
	var changed int
	f.Scan(
		t,
		"select count(*) from pg_stat_activity where pid = pg_backend_pid() and current_setting('work_mem') = '123kB'",
		&changed,
	)
	assert.True(t, there,
		"index and table: %t; the pool has %d connections with the migration's setting", there, changed)
	assert.Equal(t, 0, changed,
		"index and table: %t; the pool has %d connections with the migration's setting", there, changed)

	onlyAlone := source(
		"app",
		map[string]string{"00001_a.sql": "-- +goose NO TRANSACTION\ncreate table a (id int);\ncreate table a (id int);"},
	)
	_, err = f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{onlyAlone}}).Up(t.Context(), "tenant_2")
	var failure *migrate.Error
	if assert.ErrorAs(t, err, &failure) {
		assert.Equal(t, 2, failure.Statement)
	}
}

func TestTenantCannotRewriteItsVersions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	role := f.PG.RolePrefix + "_tenant"
	f.Exec(
		t,
		fmt.Sprintf(
			"create role %[1]s; grant usage on schema tenant_1 to %[1]s; alter default privileges in schema tenant_1 grant "+
				"select, insert, update, delete on tables to %[1]s",
			role,
		),
	)
	require.NoError(t, f.Runner(t, basic).Migrate(t.Context(), "tenant_1"))
	f.expectConcealed(t, role)
	// Provision does the same when it runs again.
	f.Exec(t, fmt.Sprintf("grant all on all tables in schema tenant_1 to %s, public", role))
	plan, err := f.Runner(t, basic).PlanUp(t.Context(), "tenant_1", migrate.Newest)
	require.NoError(t, err)
	if assert.NotEmpty(t, plan.Calls, "planned %+v", plan.Calls) {
		assert.Empty(t, plan.Migrations(), "planned %+v", plan.Calls)
	}
	require.NoError(t, f.Runner(t, basic).Migrate(t.Context(), "tenant_1"))
	f.expectConcealed(t, role)
}

func (f fixture) expectConcealed(t *testing.T, role string) {
	t.Helper()
	var notes, versions bool
	f.Scan(
		t,
		fmt.Sprintf(
			"select has_table_privilege('%[1]s', 'tenant_1.notes', 'insert'), "+
				"has_table_privilege('%[1]s', 'tenant_1.goose_db_version', 'select, insert, update, delete')",
			role,
		),
		&notes,
		&versions,
	)
	assert.True(t, notes && !versions, "rights on notes %t, on the versions %t; want true and false", notes, versions)
}

func TestLockThatIsHeldForAWhile(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t,
		f.Runner(t, map[string]string{"00001_notes.sql": basic["00001_notes.sql"]}).Migrate(t.Context(), "tenant_1"))
	tx, err := f.PG.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "lock table tenant_1.notes")
	require.NoError(t, err)
	impatient := migrate.Config{
		Tenant:      []migrate.Source{source("app", basic)},
		LockTimeout: 20 * time.Millisecond,
		LockRetries: -1,
	}
	err = f.runnerWith(t, impatient).Migrate(t.Context(), "tenant_1")
	var pgErr *pgconn.PgError
	if assert.ErrorAs(t, err, &pgErr, "without retries") {
		assert.Equal(t, "55P03", pgErr.Code, "without retries")
	}
	impatient.LockRetries = 20
	done := make(chan error)
	go func() { done <- f.runnerWith(t, impatient).Migrate(t.Context(), "tenant_1") }()
	for waiting := 0; waiting == 0; { // until it waits for the lock
		f.Scan(t, "select count(*) from pg_locks where not granted and relation = 'tenant_1.notes'::regclass", &waiting)
	}
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-done)
}
