package tenancy_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

// laterRelease changes the configuration to that of a release with one more migration.
func (f *fixture) laterRelease(t *testing.T) func(cfg *tenancy.Config) {
	t.Helper()
	later := migrations
	later.Tenant = append(later.Tenant[:1:1], migrate.Source{Name: "later", FS: fstest.MapFS{
		"00002_later.sql": {Data: []byte("-- +goose Up\ncreate table later (body text);\n")},
	}})
	runner, err := migrate.New(f.owner, later)
	require.NoError(t, err)
	return func(cfg *tenancy.Config) { cfg.Migrator = runner }
}

// expectLater expects that the schemas have the table of the later release.
func (f *fixture) expectLater(t *testing.T, condition string, tenants int) {
	t.Helper()
	got := f.queryStrings(t, `select slug || ' ' || (to_regclass(quote_ident(schema_name) || '.later') is not null)
		from public.tenants where `+condition)
	assert.Len(t, got, tenants)
	for _, tenant := range got {
		assert.Contains(t, tenant, " true")
	}
}

func TestResumeMigratesToTheRunningRelease(t *testing.T) {
	t.Parallel()
	f := setup(t)
	injected := errors.New("stopped")
	stock := tenancy.StockConfig{Size: 1, StockOnly: true}
	for _, step := range []string{"seed", "activate"} {
		_, err := f.stopAt(t, step, injected).Create(t.Context(), createParams("created-"+step))
		require.ErrorIs(t, err, injected)
		refill(t, f.stockManager(t, stock))
		m := f.stockManager(t, stock, func(cfg *tenancy.Config) { cfg.Hooks.Before = failBefore(step, injected) })
		_, err = m.AssignStocked(t.Context(), createParams("assigned-"+step))
		require.ErrorIs(t, err, injected)
	}
	later := f.managerWith(t, f.laterRelease(t))
	for _, slug := range []string{"created-seed", "created-activate", "assigned-seed", "assigned-activate"} {
		require.NoError(t, resume(t.Context(), later, slug), slug)
	}
	f.expectLater(t, "status = 'active'", 4)
	f.expectInvariants(t)
}

func TestFailedMigrationOfResumeIsRecorded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	injected := errors.New("stopped")
	_, err := f.stopAt(t, "activate", injected).Create(t.Context(), createParams("a"))
	require.ErrorIs(t, err, injected)
	stopped, err := f.stopAt(t, "migrate", injected).Resume(t.Context(), "a")
	require.ErrorIs(t, err, injected)
	assert.Equal(t, "migrate", stopped.Operation.Step)
	assert.Equal(t, "migrate: stopped", stopped.Operation.Failure)
	require.NoError(t, resume(t.Context(), f.tenants, "a"))
	f.expectInvariants(t)
}

func TestRefillMigratesToTheRunningRelease(t *testing.T) {
	t.Parallel()
	f := setup(t)
	injected := errors.New("stopped")
	stock := tenancy.StockConfig{Size: 1}
	_, err := f.stockManager(t, stock, func(cfg *tenancy.Config) {
		cfg.Hooks.Before = failBefore("ready", injected)
	}).Refill(t.Context())
	require.ErrorIs(t, err, injected)
	refill(t, f.stockManager(t, stock, f.laterRelease(t)))
	f.expectLater(t, "status = 'stocked'", 1)
}
