package metrics_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

func TestStatementsOfTenants(t *testing.T) {
	t.Parallel()
	f := setup(t, metrics.Config{}, schemactx.Config{})
	a, b := f.create(t, "acme"), f.create(t, "bolt")
	require.NoError(t, f.m.Watch(metrics.Sources{DBs: []metrics.DB{f.db}, Tenants: f.tenants}))
	require.NoError(t, f.m.Refresh(t.Context()))
	inA, inB := tenancy.NewContext(t.Context(), &a), tenancy.NewContext(t.Context(), &b)
	run := func(ctx context.Context, sql string) error {
		_, err := f.db.Exec(ctx, sql)
		return err
	}
	require.NoError(t, run(inA, "insert into notes values ('x')"))
	require.NoError(t, run(inA, "insert into notes values ('x')"))
	require.NoError(t, f.db.InTx(inB, func(tx pgx.Tx) error {
		expect(t, scrape(t, f.reg), map[string]float64{
			`pgtenant_connections_held{tenant="` + b.Schema + `"}`: 1, `pgtenant_connections_held{tenant="` + a.Schema + `"}`: 0,
		})
		batch := &pgx.Batch{}
		batch.Queue("select 1")
		batch.Queue("select 2")
		return tx.SendBatch(inB, batch).Close()
	}))
	for _, err := range []error{
		run(inB, "select * from "+a.Schema+".notes"), // the cross-tenant attempt
		run(inB, "select 1/0"),
		run(inB, "set role none"),
		run(schemactx.NewContext(t.Context(), "nobody"), "select 1"),
		schemactx.WithSchema(inB, a.Schema, func(ctx context.Context) error {
			return run(ctx, "do $$begin raise 'x' using errcode = 'ZZ999'; end$$")
		}),
	} {
		assert.Error(t, err, "a statement did not fail: nothing is counted")
	}
	f.m.LoginFailed(inA)
	f.m.RateLimited(inA, metrics.Limited)
	f.m.RateLimited(inA, metrics.Decision(42))

	scrape(t, f.reg) // starts the series of tenants that have just got a name
	got := scrape(t, f.reg)
	of := func(metric, schema string) string { return metric + `{tenant="` + schema + `"}` }
	class := func(class, schema string) string {
		return `pgtenant_statement_errors_total{class="` + class + `",tenant="` + schema + `"}`
	}
	expect(t, got, map[string]float64{
		of("pgtenant_statements_total", a.Schema):                                            3,
		of("pgtenant_statements_total", b.Schema):                                            5,
		of("pgtenant_units_total", a.Schema):                                                 3,
		of("pgtenant_units_total", b.Schema):                                                 4,
		of("pgtenant_cross_tenant_attempts_total", a.Schema):                                 0,
		of("pgtenant_cross_tenant_attempts_total", b.Schema):                                 1,
		of("pgtenant_scope_escapes_total", b.Schema):                                         1,
		of("pgtenant_connections_held", b.Schema):                                            0,
		of("pgtenant_explicit_switches_total", a.Schema):                                     1,
		of("pgtenant_explicit_switches_total", b.Schema):                                     0,
		of("pgtenant_login_failures_total", a.Schema):                                        1,
		of("pgtenant_login_failures_total", "public"):                                        0,
		class("42", b.Schema):                                                                1,
		class("22", b.Schema):                                                                1,
		class("escape", b.Schema):                                                            1,
		class("other", a.Schema):                                                             1,
		class("22", a.Schema):                                                                absent,
		class("scope", "nobody"):                                                             1,
		of("pgtenant_cross_tenant_attempts_total", "nobody"):                                 0,
		`pgtenant_ratelimit_decisions_total{decision="limited",tenant="` + a.Schema + `"}`:   1,
		`pgtenant_ratelimit_decisions_total{decision="undecided",tenant="` + a.Schema + `"}`: 1,
		`pgtenant_tenant_info{slug="acme",tenant="` + a.Schema + `"}`:                        1,
		`pgtenant_tenant_info{slug="other",tenant="other"}`:                                  1,
		`pgtenant_tenants{status="active"}`:                                                  2,
		`pgtenant_tenants{status="suspended"}`:                                               0,
		`pgtenant_statement_cache_lookups_total{result="hit"}`:                               float64(f.db.Stats().Hits),
		`pgtenant_pool_connections{state="acquired"}`:                                        0,
		`pgtenant_pool_max_connections`: float64(
			f.runtime.Config().MaxConns,
		),
	})
	assert.Positive(t, got[of("pgtenant_connection_wait_seconds_total", a.Schema)],
		"no unit of work waited for a connection, also not the first, for which one was opened")
}

func TestUnitsOfWorkThatWaitAtTheirLimit(t *testing.T) {
	t.Parallel()
	f := setup(
		t,
		metrics.Config{},
		schemactx.Config{Limits: func(string) schemactx.Limits { return schemactx.Limits{MaxConns: 1} }},
	)
	a := f.create(t, "acme")
	require.NoError(t, f.m.Watch(metrics.Sources{DBs: []metrics.DB{f.db}}))
	ctx, done := tenancy.NewContext(t.Context(), &a), make(chan error)
	waiting := `pgtenant_connections_waiting{tenant="` + a.Schema + `"}`
	require.NoError(t, f.db.InTx(ctx, func(pgx.Tx) error {
		go func() {
			_, err := f.db.Exec(ctx, "select 1")
			done <- err
		}()
		for deadline := time.Now().Add(time.Minute); scrape(t, f.reg)[waiting] != 1; {
			if time.Now().After(deadline) {
				return errors.New("no unit of work is shown to wait")
			}
		}
		return nil
	}))
	require.NoError(t, <-done)
	expect(t, scrape(t, f.reg), map[string]float64{waiting: 0})
}

func TestAScrapeSendsNoQuery(t *testing.T) {
	t.Parallel()
	f := setup(t, metrics.Config{}, schemactx.Config{})
	a := f.create(t, "acme")
	hosts, err := resolver.NewDirectory(t.Context(), f.db, resolver.Config{})
	require.NoError(t, err)
	t.Cleanup(hosts.Close)
	require.NoError(t, f.m.Watch(metrics.Sources{
		DBs: []metrics.DB{
			f.db,
		},
		Tenants:    f.tenants,
		Storage:    f.runtime,
		Migrations: f.fleet,
		Backups:    backupsOf([]string{a.Schema}),
		Directory:  func() metrics.DirectoryStatus { return metrics.DirectoryStatus(hosts.Status()) },
	}))
	require.NoError(t, f.m.Refresh(t.Context()))
	before := [2]int64{f.owner.Stat().AcquireCount(), f.runtime.Stat().AcquireCount()}
	for range 10 {
		expect(t, scrape(t, f.reg), map[string]float64{
			`pgtenant_directory_connected`: 1, `pgtenant_directory_hosts`: 1, `pgtenant_tenants{status="active"}`: 1,
			`pgtenant_migration_schemas{state="current"}`: 1, `pgtenant_backup_tenants{state="backed_up"}`: 1,
			`pgtenant_schema_size_bytes{tenant="other"}`: 0,
		})
	}
	// The directory has its own connection beside the pool, and a scrape does not use it either.
	after := [2]int64{f.owner.Stat().AcquireCount(), f.runtime.Stat().AcquireCount()}
	assert.Equal(t, before, after, "connections were taken %v times before and %v after the scrapes", before, after)
}

func TestRefusedConfigurations(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]metrics.Config{
		"top_tenants":         {TopTenants: metrics.MaxTopTenants + 1},
		"max_tenants":         {MaxTenants: -1},
		"rank_interval":       {RankInterval: -time.Second},
		"tenants_interval":    {TenantsInterval: time.Microsecond},
		"storage_interval":    {StorageInterval: 48 * time.Hour},
		"migrations_interval": {MigrationsInterval: -1},
		"backups_interval":    {BackupsInterval: -1},
		"survey_timeout":      {SurveyTimeout: -1},
		"buckets":             {Buckets: []float64{1, 1}},
	} {
		_, err := metrics.New(cfg)
		expectField(t, err, field)
	}
	for _, buckets := range [][]float64{{0}, {-1, 1}, {math.NaN()}, {1, math.Inf(1)}, make([]float64, 51)} {
		_, err := metrics.New(metrics.Config{Buckets: buckets})
		expectField(t, err, "buckets")
	}
	m := newMetrics(t, metrics.Config{})
	assert.Error(t, m.Watch(metrics.Sources{Backups: backupsOf(nil)}), "backups without tenants were accepted")
	require.NoError(t, m.Watch(metrics.Sources{}))
	assert.ErrorIs(t, m.Watch(metrics.Sources{}), metrics.ErrWatching)
}
