package migrate_test

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
)

// Also as poolers want it: without prepared statements.
func TestDriftWithOneConnection(t *testing.T) {
	t.Parallel()
	f := setup(t)
	files := map[string]string{"00001_a.sql": "create table a (id int);"}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		cfg, err := pgxpool.ParseConfig(f.pg.URL)
		check(t, err)
		cfg.MaxConns, cfg.ConnConfig.DefaultQueryExecMode = 1, mode
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		check(t, err)
		t.Cleanup(pool.Close)
		r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", files)}})
		check(t, err)
		check(t, r.Migrate(t.Context(), "tenant_1"))
		for result, err := range r.DriftEach(t.Context(), []string{"tenant_1", "tenant_1"}, migrate.DriftOptions{}) {
			check(t, err)
			var there bool
			check(t, pool.QueryRow(t.Context(), "select to_regclass('tenant_1.a') is not null").Scan(&there))
			if !there || result.State != migrate.DriftNone {
				t.Errorf("%v: result %+v", mode, result)
			}
		}
		files["00002_b.sql"] = "-- +goose NO TRANSACTION\ncreate index concurrently a_id on a (id);"
	}
}

func TestDriftWhileSchemasComeAndGo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.runner(t, zoo)
	check(t, r.Migrate(t.Context(), "tenant_1"))
	reference, err := r.Reference(t.Context(), migrate.FingerprintOptions{})
	check(t, err)
	done := make(chan error, 1)
	go func() {
		for range 5 {
			for _, do := range []func() error{
				func() error { return r.Migrate(t.Context(), "tenant_2") },
				func() error {
					_, err := f.pg.Pool.Exec(t.Context(), "drop schema tenant_2 cascade; create schema tenant_2")
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
			check(t, err)
			running = false
		default:
		}
		for result, err := range r.DriftEach(t.Context(), []string{"tenant_2", "tenant_1"}, migrate.DriftOptions{Reference: &reference}) {
			check(t, err)
			if result.Schema == "tenant_1" && result.State != migrate.DriftNone {
				t.Errorf("the schema that nobody touches: %+v", result)
			}
		}
	}
}

func TestDriftGoesOnWhereASchemaIsLocked(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.runner(t, zoo)
	schemas := []string{"tenant_1", "tenant_2", "tenant_3"}
	_, err := r.UpAll(t.Context(), migrate.Schemas(schemas...), migrate.UpAllOptions{})
	check(t, err)
	reference, err := r.Reference(t.Context(), migrate.FingerprintOptions{})
	check(t, err)
	tx, err := f.pg.Pool.Begin(t.Context())
	check(t, err)
	_, err = tx.Exec(t.Context(), "lock table tenant_2.students")
	check(t, err)
	opts := migrate.DriftOptions{Reference: &reference, FingerprintOptions: migrate.FingerprintOptions{LockTimeout: 1}}
	expectLines(t, drift(t, r, opts, schemas...), "tenant_2: failed")
	check(t, tx.Rollback(t.Context()))
	expectLines(t, drift(t, r, opts, schemas...))
}

func TestDriftOfManyKeepsTheirOrderAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := fleet(t, 30)
	f.exec(t, "alter table tenant_17.notes add column own int")
	r := f.runner(t, first)
	for _, workers := range []int{1, 4} {
		opts := migrate.DriftOptions{Workers: workers}
		opts.Batch = 4
		var got []string
		for result, err := range r.DriftEach(t.Context(), names(30), opts) {
			check(t, err)
			got = append(got, result.Schema)
			if found := result.State == migrate.DriftFound; found != (result.Schema == "tenant_17") {
				t.Errorf("%d workers: %+v", workers, result)
			}
		}
		if !slices.Equal(got, names(30)) {
			t.Errorf("%d workers: %v", workers, got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var last error
		seen := 0
		for _, err := range r.DriftEach(ctx, names(30), opts) {
			if seen++; seen == 6 {
				cancel()
			}
			last = err
		}
		cancel()
		expectIs(t, last, context.Canceled)
	}
}
