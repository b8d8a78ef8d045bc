package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestKilledReplacementContinues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	steps := f.killAtEachStep(t, tenancy.OpReplace, func(slug string) {
		f.insertNote(t, f.create(t, slug), "old")
	}, func(ctx context.Context, c crash) {
		for { // until the session of the killed process has ended
			report, err := f.tenants.SweepStagedSchemas(ctx)
			require.NoError(t, err)
			if len(report.InUse) == 0 {
				break
			}
		}
		if c.Step == 0 && !c.After {
			f.expectServed(t, c.Slug, "old")
			f.replace(t, c.Slug)
		} else if _, err := f.tenants.Resume(ctx, c.Slug); c.Step == 3 && c.After {
			assert.ErrorIs(t, err, tenancy.ErrStatus)
		} else {
			require.NoError(t, err)
		}
		f.expectServed(t, c.Slug, "new", "old")
		f.confirmReplacement(ctx, t, c.Slug)
	})
	assert.Equal(t, 4, steps, "steps of the operation")
	f.expectInvariants(t)
}

func TestKilledRevertContinues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var old tenancy.AuxiliarySchema
	steps := f.killAtEachStep(t, tenancy.OpRevert, func(slug string) {
		f.createReplaced(t, slug)
		var err error
		old, err = f.tenants.RetainedSchema(t.Context(), slug)
		require.NoError(t, err)
	}, func(ctx context.Context, c crash) {
		got, err := f.tenants.RevertReplacement(ctx, c.Slug, old.Schema)
		if c.Step == 4 && c.After { // the revert was complete
			assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
		} else {
			require.NoError(t, err)
			assert.Equal(t, old.Schema, got.Schema, "schema after the revert")
		}
		f.expectServed(t, c.Slug, "old", "new")
		f.confirmReplacement(ctx, t, c.Slug)
	})
	assert.Equal(t, 5, steps, "steps of the operation")
	f.expectInvariants(t)
}

func TestKilledConfirmContinues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var old tenancy.AuxiliarySchema
	steps := f.killAtEachStep(t, tenancy.OpConfirm, func(slug string) {
		f.createReplaced(t, slug)
		var err error
		old, err = f.tenants.RetainedSchema(t.Context(), slug)
		require.NoError(t, err)
	}, func(ctx context.Context, c crash) {
		_, err := approveAndConfirm(ctx, f.fourEyesManager(t), c.Slug, old.Schema)
		if c.Step == 1 && c.After { // the confirmation was complete
			assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
		} else {
			require.NoError(t, err)
		}
		f.expectServed(t, c.Slug, "new")
	})
	assert.Equal(t, 2, steps, "steps of the operation")
	f.expectInvariants(t)
}
