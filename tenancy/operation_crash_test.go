package tenancy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestKilledCreateIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	steps := f.killAtEachStep(t, tenancy.OpCreate, func(string) {}, func(ctx context.Context, c crash) {
		assert.ErrorIs(t, create(ctx, f.tenants, c.Slug), tenancy.ErrSlugTaken)
		f.expectResumed(ctx, t, c)
	})
	assert.Equal(t, 4, steps, "steps of the operation")
	f.expectInvariants(t)
}

func TestKilledResumeIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	injected := errors.New("not yet")
	failing := f.manager(t, tenancy.Config{Hooks: tenancy.Hooks{
		Before: func(context.Context, tenancy.StepData) error { return injected },
	}})
	steps := f.killAtEachStep(t, tenancy.OpResume, func(slug string) {
		assert.ErrorIs(t, create(t.Context(), failing, slug), injected)
	}, func(ctx context.Context, c crash) { f.expectResumed(ctx, t, c) })
	assert.Equal(t, 4, steps, "steps of the operation")
	f.expectInvariants(t)
}

// expectResumed resumes a create and expects an active tenant. After the last step there is nothing
// to resume.
func (f *fixture) expectResumed(ctx context.Context, t *testing.T, c crash) {
	t.Helper()
	_, err := f.tenants.Resume(ctx, c.Slug)
	if c.Step == 3 && c.After {
		assert.ErrorIs(t, err, tenancy.ErrStatus)
	} else {
		require.NoError(t, err)
	}
	got, err := f.tenants.BySlug(ctx, c.Slug)
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, got.Status)
	assert.Nil(t, got.Operation)
	f.insertNote(t, got, c.Slug)
	f.expectNote(t, got, c.Slug)
}

func TestKilledRenameIsRepeated(t *testing.T) {
	t.Parallel()
	f := setup(t)
	prepare := func(slug string) { f.createWithNote(t, slug) }
	steps := f.killAtEachStep(t, tenancy.OpRename, prepare, func(ctx context.Context, c crash) {
		require.NoError(t, rename(ctx, f.tenants, c.Slug))
		f.expectRenamed(t, c.Slug)
	})
	assert.Equal(t, 3, steps, "steps of the operation")
	f.expectInvariants(t)
}

func TestKilledRenameIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	prepare := func(slug string) { f.createWithNote(t, slug) }
	f.killAtEachStep(t, tenancy.OpRename, prepare, func(ctx context.Context, c crash) {
		switch {
		case c.Step == 0 && !c.After: // nothing was done
			assert.ErrorIs(t, resume(ctx, f.tenants, c.Slug), tenancy.ErrStatus)
			require.NoError(t, rename(ctx, f.tenants, c.Slug))
		case c.Step == 2 && c.After: // everything was done
			assert.ErrorIs(t, resume(ctx, f.tenants, "new-"+c.Slug), tenancy.ErrStatus)
		default:
			require.NoError(t, resume(ctx, f.tenants, "new-"+c.Slug))
		}
		f.expectRenamed(t, c.Slug)
	})
	f.expectInvariants(t)
}

func TestKilledResumeOfRenameIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	steps := f.killAtEachStep(t, tenancy.OpResume, func(slug string) {
		f.createWithNote(t, slug)
		f.stopRename(t, slug, "new_"+slug)
	}, func(ctx context.Context, c crash) {
		err := resume(ctx, f.tenants, c.Slug)
		if c.Step == 1 && c.After {
			assert.ErrorIs(t, err, tenancy.ErrStatus)
		} else {
			require.NoError(t, err)
		}
		require.NoError(t, rename(ctx, f.tenants, c.Slug))
		f.expectRenamed(t, c.Slug)
	})
	assert.Equal(t, 2, steps, "steps of the operation")
	f.expectInvariants(t)
}

// createWithNote creates a tenant with one note, its slug.
func (f *fixture) createWithNote(t *testing.T, slug string) {
	t.Helper()
	f.insertNote(t, f.create(t, slug), slug)
}

func (f *fixture) expectRenamed(t *testing.T, slug string) {
	t.Helper()
	got, err := f.tenants.BySlug(t.Context(), "new-"+slug)
	require.NoError(t, err)
	assert.Equal(t, "New", got.Name)
	assert.Equal(t, "new_"+slug, got.Schema)
	assert.Nil(t, got.Operation)
	assert.Equal(t, tenancy.Active, got.Status)
	f.expectNote(t, got, slug)
}

func TestKilledDomainMoveIsRepeated(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "other")
	steps := f.killAtEachStep(t, tenancy.OpMoveDomain, func(slug string) {
		f.create(t, slug)
		_, err := f.tenants.AddDomain(t.Context(), slug, "alias."+slug+".example.com")
		require.NoError(t, err)
	}, func(ctx context.Context, c crash) {
		require.NoError(t, moveDomain(ctx, f.tenants, c.Slug))
		f.expectHosts(t, c.Slug, "alias."+c.Slug+"!")
		found, err := f.registry.ByHost(ctx, c.Slug+".example.com")
		require.NoError(t, err)
		assert.Equal(t, "other", found.Slug, "tenant of the moved domain")
	})
	assert.Equal(t, 1, steps, "steps of the operation")
	f.expectInvariants(t)
}
