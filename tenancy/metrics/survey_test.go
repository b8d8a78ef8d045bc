package metrics_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

func TestLifecycleMigrationsSizesAndBackups(t *testing.T) {
	t.Parallel()
	f := setup(t, metrics.Config{TopTenants: 1}, schemactx.Config{})
	ctx := t.Context()
	a, b := f.create(t, "acme"), f.create(t, "bolt")
	last := map[string]time.Time{a.Schema: time.Unix(2000, 0)}
	require.NoError(t, f.m.Watch(metrics.Sources{
		Tenants: tenancy.NewRegistry(f.db), Storage: f.runtime, Migrations: f.fleet,
		Backups: metrics.BackupsFunc(func(context.Context) (map[string]time.Time, error) { return last, nil }),
	}))
	for _, sql := range []string{
		"insert into " + b.Schema + ".notes select repeat(md5(n::text), 10) from generate_series(1, 1000) n",
		"vacuum analyze " + b.Schema + ".notes",
	} {
		_, err := f.owner.Exec(ctx, sql)
		require.NoError(t, err)
	}
	_, err := f.tenants.Suspend(ctx, "acme", "unpaid")
	require.NoError(t, err)
	files := maps.Clone(tenantFiles)
	files["00002_more.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nalter table notes add column n int;\n")}
	f.runner = f.migrations(t, files)
	require.NoError(t, f.m.Refresh(ctx))

	var size float64
	require.NoError(t,
		f.owner.QueryRow(ctx, `select sum(pg_total_relation_size(objid)) from pg_depend join pg_class c on c.oid = objid
		where refclassid = 'pg_namespace'::regclass and refobjid = $1::text::regnamespace and classid = 'pg_class'::regclass
		and c.relkind = 'r'`, b.Schema).Scan(&size))
	got := scrape(t, f.reg)
	shown := got[`pgtenant_schema_size_bytes{tenant="`+b.Schema+`"}`]
	assert.GreaterOrEqual(t, shown, float64(300_000), "size is shown as %v, PostgreSQL says %v", shown, size)
	assert.LessOrEqual(t, shown, size, "size is shown as %v, PostgreSQL says %v", shown, size)
	assert.GreaterOrEqual(t, shown, size*0.8, "size is shown as %v, PostgreSQL says %v", shown, size)
	expect(t, got, map[string]float64{
		`pgtenant_schema_size_bytes{tenant="` + a.Schema + `"}`:                          absent, // not among the largest
		`pgtenant_tenants{status="active"}`:                                              1,
		`pgtenant_tenants{status="suspended"}`:                                           1,
		`pgtenant_migration_schemas{state="behind"}`:                                     2,
		`pgtenant_migration_schemas{state="current"}`:                                    0,
		`pgtenant_migration_edited_schemas`:                                              0,
		`pgtenant_backup_tenants{state="backed_up"}`:                                     1,
		`pgtenant_backup_tenants{state="never"}`:                                         1,
		`pgtenant_backup_oldest_timestamp_seconds`:                                       2000,
		`pgtenant_backup_timestamp_seconds{tenant="` + a.Schema + `"}`:                   2000,
		`pgtenant_tenant_info{slug="bolt",tenant="` + b.Schema + `"}`:                    1,
		`pgtenant_survey_failures_total{survey="storage"}`:                               0,
		`pgtenant_lifecycle_steps_total{operation="create",result="ok",step="activate"}`: 2,
		`pgtenant_lifecycle_steps_total{operation="suspend",result="ok",step="status"}`:  1,
	})

	report, err := f.runner.UpAll(ctx, f.tenants.Schemas, migrate.UpAllOptions{Events: f.m.Migrating(nil)})
	require.NoError(t, err)
	f.m.Migrated(report)
	request, err := f.tenants.RequestDrop(ctx, "bolt", "ada")
	require.NoError(t, err)
	_, err = f.tenants.Drop(ctx, tenancy.DropParams{Slug: "bolt", Actor: "eve", Token: request.Token})
	assert.Error(t, err, "the token of another operator was accepted")
	_, err = f.tenants.Drop(ctx, tenancy.DropParams{Slug: "bolt", Actor: "ada", Token: request.Token})
	require.NoError(t, err)
	require.NoError(t, f.m.Refresh(ctx))
	expect(t, scrape(t, f.reg), map[string]float64{
		`pgtenant_migrations_total{outcome="migrated"}`:         2,
		`pgtenant_migration_run_schemas{outcome="migrated"}`:    2,
		`pgtenant_migration_run_exit_code`:                      0,
		`pgtenant_migration_run_planned`:                        2,
		`pgtenant_migration_run_done`:                           2,
		`pgtenant_migration_schemas{state="current"}`:           1,
		`pgtenant_drop_events_total{phase="requested"}`:         1,
		`pgtenant_drop_events_total{phase="refused"}`:           1,
		`pgtenant_drop_events_total{phase="done"}`:              1,
		`pgtenant_drop_events_total{phase="stopped"}`:           0,
		`pgtenant_tenants{status="suspended"}`:                  1,
		`pgtenant_tenants{status="active"}`:                     0,
		`pgtenant_schema_size_bytes{tenant="` + b.Schema + `"}`: absent,
	})
}

// away is a source whose queries fail with err, if it is set.
type away struct {
	metrics.Tenants
	err error
}

func (s *away) All(ctx context.Context, f tenancy.Filter) iter.Seq2[tenancy.Tenant, error] {
	if s.err != nil {
		return func(yield func(tenancy.Tenant, error) bool) { yield(tenancy.Tenant{}, s.err) }
	}
	return s.Tenants.All(ctx, f)
}

func (s *away) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, s.err }

func TestAnUnavailableSourceKeepsItsLastValues(t *testing.T) {
	t.Parallel()
	m := newMetrics(t, metrics.Config{})
	reg, src := register(t, m), &away{Tenants: madeUp{"tenant_a"}, err: errors.New("the database is away")}
	require.NoError(t, m.Watch(metrics.Sources{Tenants: src, Storage: src}))
	series, age := `pgtenant_tenants{status="active"}`, `pgtenant_survey_last_success_timestamp_seconds{survey="tenants"}`
	failures := `pgtenant_survey_failures_total{survey="tenants"}`
	assert.ErrorIs(t, m.Refresh(t.Context()), src.err)
	expect(
		t,
		scrape(t, reg),
		map[string]float64{series: absent, age: 0, failures: 1, `pgtenant_schema_size_bytes{tenant="other"}`: absent},
	)
	gone := src.err
	src.err = nil
	m2 := newMetrics(t, metrics.Config{})
	reg = register(t, m2)
	require.NoError(t, m2.Watch(metrics.Sources{Tenants: src}))
	require.NoError(t, m2.Refresh(t.Context()))
	before := scrape(t, reg)
	expect(t, before, map[string]float64{series: 1, failures: 0})
	src.err = gone
	assert.Error(t, m2.Refresh(t.Context()), "no error")
	expect(t, scrape(t, reg), map[string]float64{series: 1, failures: 1, age: before[age]})
}

func TestRunReadsAtOnceAndRepeatedlyUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	m := newMetrics(t, metrics.Config{BackupsInterval: time.Millisecond})
	require.NoError(
		t,
		m.Watch(
			metrics.Sources{
				Tenants: madeUp{},
				Backups: metrics.BackupsFunc(func(ctx context.Context) (map[string]time.Time, error) {
					select {
					case asked <- struct{}{}:
					case <-ctx.Done():
					}
					return nil, ctx.Err()
				}),
			},
		),
	)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		m.Run(ctx)
		close(done)
	}()
	for range 3 {
		<-asked
	}
	stop()
	<-done
}
