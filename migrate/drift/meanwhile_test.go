package drift_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// TestDriftWithOneConnection also runs without prepared statements, as some poolers require.
func TestDriftWithOneConnection(t *testing.T) {
	t.Parallel()
	f := migratetest.New(t)
	files := map[string]string{"00001_a.sql": "create table a (id int);"}
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		cfg, err := pgxpool.ParseConfig(f.PG.URL)
		require.NoError(t, err)
		cfg.MaxConns, cfg.ConnConfig.DefaultQueryExecMode = 1, mode
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{migratetest.Source("app", files)}})
		require.NoError(t, err)
		require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
		for result, err := range drift.Each(t.Context(), r, []string{"tenant_1", "tenant_1"}, drift.Options{}) {
			require.NoError(t, err)
			var there bool
			require.NoError(t, pool.QueryRow(t.Context(), "select to_regclass('tenant_1.a') is not null").Scan(&there))
			assert.True(t, there, "%v: result %+v", mode, result)
			assert.Equal(t, drift.Equal, result.State, "%v: result %+v", mode, result)
		}
		files["00002_b.sql"] = "-- +goose NO TRANSACTION\ncreate index concurrently a_id on a (id);"
	}
}

func TestDriftWhileSchemasComeAndGo(t *testing.T) {
	t.Parallel()
	f := migratetest.New(t)
	r := f.Runner(t, zoo)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	reference, err := drift.Reference(t.Context(), r, drift.ReadOptions{})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		for range 5 {
			for _, do := range []func() error{
				func() error { return r.Migrate(t.Context(), "tenant_2") },
				func() error {
					_, err := f.PG.Pool.Exec(t.Context(), "drop schema tenant_2 cascade; create schema tenant_2")
					return err
				},
			} {
				if err := do(); err != nil {
					done <- err
					return
				}
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			require.NoError(t, err)
			running = false
		default:
		}
		options := drift.Options{Reference: &reference}
		for result, err := range drift.Each(t.Context(), r, []string{"tenant_2", "tenant_1"}, options) {
			require.NoError(t, err)
			if result.Schema == "tenant_1" {
				assert.Equal(t, drift.Equal, result.State, "the schema that stays unchanged: %+v", result)
			}
		}
	}
}

func TestDriftGoesOnWhereASchemaIsLocked(t *testing.T) {
	t.Parallel()
	f := migratetest.New(t)
	r := f.Runner(t, zoo)
	schemas := []string{"tenant_1", "tenant_2", "tenant_3"}
	_, err := r.UpAll(t.Context(), migrate.Schemas(schemas...), migrate.UpAllOptions{})
	require.NoError(t, err)
	reference, err := drift.Reference(t.Context(), r, drift.ReadOptions{})
	require.NoError(t, err)
	tx, err := f.PG.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "lock table tenant_2.students")
	require.NoError(t, err)
	opts := drift.Options{Reference: &reference, ReadOptions: drift.ReadOptions{LockTimeout: 1}}
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, opts, schemas...), "tenant_2: failed")
	require.NoError(t, tx.Rollback(t.Context()))
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, opts, schemas...))
}

func TestDriftOfManyKeepsTheirOrderAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := migratetest.New(t)
	for _, schema := range migratetest.Names(30)[3:] {
		f.Exec(t, "create schema "+schema)
	}
	r := f.Runner(t, map[string]string{"00001_notes.sql": migratetest.Basic["00001_notes.sql"]})
	_, err := r.UpAll(t.Context(), migrate.Schemas(migratetest.Names(30)...), migrate.UpAllOptions{})
	require.NoError(t, err)
	f.Exec(t, "alter table tenant_17.notes add column own int")
	for _, workers := range []int{1, 4} {
		opts := drift.Options{Workers: workers}
		opts.Batch = 4
		var got []string
		for result, err := range drift.Each(t.Context(), r, migratetest.Names(30), opts) {
			require.NoError(t, err)
			got = append(got, result.Schema)
			assert.Equal(t, result.Schema == "tenant_17", result.State == drift.Different, "%d workers: %+v", workers, result)
		}
		assert.Equal(t, migratetest.Names(30), got, "%d workers", workers)
		ctx, cancel := context.WithCancel(t.Context())
		var last error
		seen := 0
		for _, err := range drift.Each(ctx, r, migratetest.Names(30), opts) {
			if seen++; seen == 6 {
				cancel()
			}
			last = err
		}
		cancel()
		assert.ErrorIs(t, last, context.Canceled)
	}
}
