package tenancy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// failBefore returns a hook that fails before a step.
func failBefore(step string, err error) func(context.Context, tenancy.StepData) error {
	return func(_ context.Context, d tenancy.StepData) error {
		if d.Step == step {
			return err
		}
		return nil
	}
}

// stopAt returns a manager whose operations stop before a step.
func (f *fixture) stopAt(t *testing.T, step string, err error) *tenancy.Manager {
	t.Helper()
	return f.manager(t, tenancy.Config{
		Drop:  tenancy.DropConfig{Enabled: true},
		Hooks: tenancy.Hooks{Before: failBefore(step, err)},
	})
}

// stopRename begins to rename the tenant's schema to next, and stops before the schema is renamed.
func (f *fixture) stopRename(t *testing.T, slug, next string) {
	t.Helper()
	injected := errors.New("no connection")
	_, err := f.stopAt(t, "schema", injected).Rename(t.Context(), slug, tenancy.RenameParams{Schema: next})
	var step *tenancy.StepError
	require.ErrorAs(t, err, &step)
	require.Equal(t, tenancy.OpRename, step.Op)
	require.Equal(t, "schema", step.Step)
	require.Equal(t, next, nextSchema(step.Tenant))
	require.ErrorIs(t, err, injected)
}

// stopRevert begins to revert a replacement, and stops after the schemas are switched.
func (f *fixture) stopRevert(t *testing.T, slug, retained string) {
	t.Helper()
	injected := errors.New("no connection")
	_, err := f.stopAt(t, "open", injected).RevertReplacement(t.Context(), slug, retained)
	assert.ErrorIs(t, err, injected)
}

// stopReplacement replaces the schema of a new tenant, and stops before a step after the schemas
// are switched. It returns the name of the retained schema.
func (f *fixture) stopReplacement(t *testing.T, slug, step string) (retained string) {
	t.Helper()
	f.insertNote(t, f.create(t, slug), "old")
	injected := errors.New("stopped")
	s, err := f.stopAt(t, step, injected).StageReplacement(t.Context(), slug)
	require.NoError(t, err)
	f.fillStaging(t, s, "new")
	stopped, err := s.Replace(t.Context())
	require.ErrorIs(t, err, injected)
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, tenancy.OpReplace, stopped.Operation.Op)
	require.Equal(t, step, stopped.Operation.Step)
	require.Equal(t, step+": stopped", stopped.Operation.Failure)
	require.Equal(t, tenancy.Maintenance, stopped.Status)
	return stopped.Operation.Schema
}
