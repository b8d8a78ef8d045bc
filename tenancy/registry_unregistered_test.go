package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

// observedMigrator is a runner that calls migrated after it has migrated a schema.
type observedMigrator struct {
	*migrate.Runner
	migrated func(schema string)
}

func (r observedMigrator) Migrate(ctx context.Context, schema string) error {
	err := r.Runner.Migrate(ctx, schema)
	r.migrated(schema)
	return err
}

func (r observedMigrator) MigrateUnused(ctx context.Context, schema string) error {
	err := r.Runner.MigrateUnused(ctx, schema)
	r.migrated(schema)
	return err
}

// A report contains abandoned schemas, and no schema that an operation is working on.
func TestSchemasInUseAreNotReportedAsUnregistered(t *testing.T) {
	t.Parallel()
	f := setup(t)
	runner, err := migrate.New(f.owner, migrations)
	require.NoError(t, err)
	unregistered := func() (schemas []string) {
		for state, err := range runner.Fleet(t.Context(), f.tenants.Schemas) {
			require.NoError(t, err)
			if state.Outcome == migrate.Unregistered {
				schemas = append(schemas, state.Schema)
			}
		}
		return schemas
	}
	f.create(t, "a")
	_, err = f.owner.Exec(t.Context(), "create schema abandoned")
	require.NoError(t, err)
	require.NoError(t, runner.Migrate(t.Context(), "abandoned"))
	expect := func(what string) { assert.Equal(t, []string{"abandoned"}, unregistered(), what) }

	var migrated []string
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Drop.Enabled = true
		cfg.Stock = tenancy.StockConfig{Size: 1}
		cfg.Migrator = observedMigrator{runner, func(schema string) {
			migrated = append(migrated, schema)
			expect("while " + schema + " is created")
		}}
		cfg.Hooks.Before = func(_ context.Context, d tenancy.StepData) error {
			expect("before " + d.Step)
			return nil
		}
	})
	_, err = m.Create(t.Context(), tenancy.CreateParams{Slug: "b", Domain: "b.example.com"})
	require.NoError(t, err)
	refill(t, m)
	expect("when the stock is full")
	require.Len(t, migrated, 2)

	for what, stage := range map[string]func() (*tenancy.Staging, error){
		"a verification": func() (*tenancy.Staging, error) { return m.StageScratch(t.Context()) },
		"a replacement":  func() (*tenancy.Staging, error) { return m.StageReplacement(t.Context(), "a") },
		"a clone": func() (*tenancy.Staging, error) {
			return m.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "c", Domain: "c.example.com"})
		},
	} {
		s, err := stage()
		require.NoError(t, err)
		require.NoError(t, runner.Migrate(t.Context(), s.Schema()))
		expect(what)
		require.NoError(t, s.Close(t.Context()))
		expect(what + " that has ended")
	}
	_, err = m.Drop(t.Context(), request(t, m, "b"))
	require.NoError(t, err)
	expect("after the drop")
	report, err := runner.UpAll(t.Context(), m.Schemas, migrate.UpAllOptions{})
	require.NoError(t, err)
	assert.Equal(t, 1, report.Count(migrate.Unregistered))
}

// A schema of a process that has ended is reported until it is swept.
func TestAbandonedSchemaIsReportedAsUnregistered(t *testing.T) {
	t.Parallel()
	f := setup(t)
	runner, err := migrate.New(f.owner, migrations)
	require.NoError(t, err)
	injected := error(context.DeadlineExceeded)
	f.migrator.err.Store(&injected)
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	require.Error(t, err)
	require.NoError(t, runner.Migrate(t.Context(), "tenant_1"))
	report, err := runner.UpAll(t.Context(), f.tenants.Schemas, migrate.UpAllOptions{})
	require.NoError(t, err)
	require.Len(t, report.Results, 1)
	assert.Equal(t, "tenant_1", report.Results[0].Schema)
	assert.Equal(t, migrate.Unregistered, report.Results[0].Outcome)
}
