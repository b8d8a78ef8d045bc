package tenancy_test

import (
	"context"
	"slices"
	"testing"

	"github.com/oryne/pgtenant/tenancy"
)

// expectServed looks at a tenant that is to be active, with one note; another one is aside, or nothing.
func (f *fixture) expectServed(t *testing.T, slug, note string, aside ...string) {
	t.Helper()
	got, err := f.tenants.BySlug(t.Context(), slug)
	check(t, err)
	if got.Status != tenancy.Active {
		t.Errorf("status %s", got.Status)
	}
	if notes := f.seen(t, got); !slices.Equal(notes, []string{note}) {
		t.Errorf("notes %q, want %q", notes, note)
	}
	side, err := f.tenants.RetainedSchema(t.Context(), slug)
	switch {
	case len(aside) == 0:
		expectIs(t, err, tenancy.ErrNoRetainedSchema)
	case err != nil:
		t.Error(err)
	default:
		if notes := f.notesIn(t, side.Schema); !slices.Equal(notes, aside) {
			t.Errorf("aside %q, want %q", notes, aside)
		}
	}
}

// replaced makes tenants that have a schema aside.
func (f *fixture) replaced(t *testing.T) (prepare func(slug string)) {
	return func(slug string) {
		f.note(t, f.create(t, slug), "old")
		f.replace(t, slug)
	}
}

func TestAReplacementThatWasKilledLosesNothingAndGoesOn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	steps := f.killAtEachStep(t, tenancy.OpReplace, func(slug string) {
		f.note(t, f.create(t, slug), "old")
	}, func(ctx context.Context, c crash) {
		for { // the session of the dead takes a moment to end
			report, err := f.tenants.SweepStagedSchemas(ctx)
			check(t, err)
			if len(report.InUse) == 0 {
				break
			}
		}
		if c.Step == 0 && !c.After {
			f.expectServed(t, c.Slug, "old")
			f.replace(t, c.Slug)
		} else if _, err := f.tenants.Resume(ctx, c.Slug); c.Step == 3 && c.After {
			expectIs(t, err, tenancy.ErrStatus)
		} else {
			check(t, err)
		}
		f.expectServed(t, c.Slug, "new", "old")
		f.confirm(ctx, t, c.Slug)
	})
	if steps != 4 {
		t.Errorf("killed at %d steps", steps)
	}
	f.expectInvariants(t)
}

// confirm drops what is aside.
func (f *fixture) confirm(ctx context.Context, t *testing.T, slug string) {
	t.Helper()
	aside, err := f.tenants.RetainedSchema(ctx, slug)
	check(t, err)
	_, err = confirmed(ctx, f.twoPeople(t), slug, aside.Schema)
	check(t, err)
}

// twoPeople is a manager for which two people have to agree that something is dropped.
func (f *fixture) twoPeople(t *testing.T) *tenancy.Manager {
	t.Helper()
	m, _ := f.droppers(t, tenancy.DropConfig{FourEyes: true})
	return m
}

// confirmed is a confirmation that one person has asked for and another one has approved.
func confirmed(ctx context.Context, m *tenancy.Manager, slug, schema string) (tenancy.Tenant, error) {
	r, err := m.RequestConfirm(ctx, slug, schema, actor)
	if err == nil {
		_, err = m.ApproveDrop(ctx, r.ID, "bob@example.com")
	}
	if err != nil {
		return tenancy.Tenant{}, err
	}
	return m.ConfirmReplacement(ctx, tenancy.DropParams{Slug: slug, Token: r.Token, Actor: actor}, schema)
}

func TestARevertThatWasKilledGoesOn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var old tenancy.AuxiliarySchema
	steps := f.killAtEachStep(t, tenancy.OpRevert, func(slug string) {
		f.replaced(t)(slug)
		var err error
		old, err = f.tenants.RetainedSchema(t.Context(), slug)
		check(t, err)
	}, func(ctx context.Context, c crash) {
		got, err := f.tenants.RevertReplacement(ctx, c.Slug, old.Schema)
		if c.Step == 4 && c.After { // it was done
			expectIs(t, err, tenancy.ErrNoRetainedSchema)
		} else {
			check(t, err)
			if got.Schema != old.Schema {
				t.Errorf("reverted to %q", got.Schema)
			}
		}
		f.expectServed(t, c.Slug, "old", "new")
		f.confirm(ctx, t, c.Slug)
	})
	if steps != 5 {
		t.Errorf("killed at %d steps", steps)
	}
	f.expectInvariants(t)
}

func TestAConfirmationThatWasKilledGoesOn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var old tenancy.AuxiliarySchema
	steps := f.killAtEachStep(t, tenancy.OpConfirm, func(slug string) {
		f.replaced(t)(slug)
		var err error
		old, err = f.tenants.RetainedSchema(t.Context(), slug)
		check(t, err)
	}, func(ctx context.Context, c crash) {
		_, err := confirmed(ctx, f.twoPeople(t), c.Slug, old.Schema)
		if c.Step == 1 && c.After { // it was done
			expectIs(t, err, tenancy.ErrNoRetainedSchema)
		} else {
			check(t, err)
		}
		f.expectServed(t, c.Slug, "new")
	})
	if steps != 2 {
		t.Errorf("killed at %d steps", steps)
	}
	f.expectInvariants(t)
}
