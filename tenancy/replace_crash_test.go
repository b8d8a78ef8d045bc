package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// expectServed looks at a tenant that is to be active, with one note; another one is retained, or
// nothing.
func (f *fixture) expectServed(t *testing.T, slug, note string, retained ...string) {
	t.Helper()
	got, err := f.tenants.BySlug(t.Context(), slug)
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, got.Status, "status")
	assert.Equal(t, []string{note}, f.tenantNotes(t, got))
	side, err := f.tenants.RetainedSchema(t.Context(), slug)
	if len(retained) == 0 {
		assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
	} else if assert.NoError(t, err) {
		assert.Equal(t, retained, f.schemaNotes(t, side.Schema), "notes of the retained schema")
	}
}

// replaced makes tenants that have a schema retained.
func (f *fixture) replaced(t *testing.T) (prepare func(slug string)) {
	return func(slug string) {
		f.insertNote(t, f.create(t, slug), "old")
		f.replace(t, slug)
	}
}

func TestKilledReplacementContinues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	steps := f.killAtEachStep(t, tenancy.OpReplace, func(slug string) {
		f.insertNote(t, f.create(t, slug), "old")
	}, func(ctx context.Context, c crash) {
		for { // the session of the dead takes a moment to end
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
	assert.Equal(t, 4, steps, "killed at %d steps", steps)
	f.expectInvariants(t)
}

// confirm drops what is retained.
func (f *fixture) confirmReplacement(ctx context.Context, t *testing.T, slug string) {
	t.Helper()
	retained, err := f.tenants.RetainedSchema(ctx, slug)
	require.NoError(t, err)
	_, err = approveAndConfirm(ctx, f.fourEyesManager(t), slug, retained.Schema)
	require.NoError(t, err)
}

// twoPeople is a manager for which two people have to agree that something is dropped.
func (f *fixture) fourEyesManager(t *testing.T) *tenancy.Manager {
	t.Helper()
	m, _ := f.dropManager(t, tenancy.DropConfig{FourEyes: true})
	return m
}

// confirmed is a confirmation that one person has asked for and another one has approved.
func approveAndConfirm(ctx context.Context, m *tenancy.Manager, slug, schema string) (tenancy.Tenant, error) {
	r, err := m.RequestConfirm(ctx, slug, schema, actor)
	if err == nil {
		_, err = m.ApproveDrop(ctx, r.ID, "bob@example.com")
	}
	if err != nil {
		return tenancy.Tenant{}, err
	}
	return m.ConfirmReplacement(ctx, tenancy.DropParams{Slug: slug, Token: r.Token, Actor: actor}, schema)
}

func TestKilledRevertContinues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var old tenancy.AuxiliarySchema
	steps := f.killAtEachStep(t, tenancy.OpRevert, func(slug string) {
		f.replaced(t)(slug)
		var err error
		old, err = f.tenants.RetainedSchema(t.Context(), slug)
		require.NoError(t, err)
	}, func(ctx context.Context, c crash) {
		got, err := f.tenants.RevertReplacement(ctx, c.Slug, old.Schema)
		if c.Step == 4 && c.After { // it was done
			assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
		} else {
			require.NoError(t, err)
			assert.Equal(t, old.Schema, got.Schema, "reverted to %q", got.Schema)
		}
		f.expectServed(t, c.Slug, "old", "new")
		f.confirmReplacement(ctx, t, c.Slug)
	})
	assert.Equal(t, 5, steps, "killed at %d steps", steps)
	f.expectInvariants(t)
}

func TestKilledConfirmContinues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var old tenancy.AuxiliarySchema
	steps := f.killAtEachStep(t, tenancy.OpConfirm, func(slug string) {
		f.replaced(t)(slug)
		var err error
		old, err = f.tenants.RetainedSchema(t.Context(), slug)
		require.NoError(t, err)
	}, func(ctx context.Context, c crash) {
		_, err := approveAndConfirm(ctx, f.fourEyesManager(t), c.Slug, old.Schema)
		if c.Step == 1 && c.After { // it was done
			assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
		} else {
			require.NoError(t, err)
		}
		f.expectServed(t, c.Slug, "new")
	})
	assert.Equal(t, 2, steps, "killed at %d steps", steps)
	f.expectInvariants(t)
}
