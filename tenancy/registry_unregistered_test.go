package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

// reporting is a migrator that looks, when a schema has its tables, at what a report of all schemas
// says.
type reporting struct {
	*migrate.Runner
	look func(schema string)
}

func (r reporting) Migrate(ctx context.Context, schema string) error {
	err := r.Runner.Migrate(ctx, schema)
	r.look(schema)
	return err
}

func (r reporting) MigrateUnused(ctx context.Context, schema string) error {
	err := r.Runner.MigrateUnused(ctx, schema)
	r.look(schema)
	return err
}

// A report names schemas that were forgotten, and none that somebody is at work on.
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
	_, err = f.owner.Exec(t.Context(), "create schema forgotten")
	require.NoError(t, err)
	require.NoError(t, runner.Migrate(t.Context(), "forgotten"))
	expect := func(what string) { assert.Equal(t, []string{"forgotten"}, unregistered(), what) }

	var looked []string
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Drop.Enabled = true
		cfg.Stock = tenancy.StockConfig{Size: 1}
		cfg.Migrator = reporting{runner, func(schema string) {
			looked = append(looked, schema)
			expect("while " + schema + " is made")
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
	require.Len(t, looked, 2)

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

// What a process has left that is gone is reported until it is swept.
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
