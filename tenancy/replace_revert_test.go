package tenancy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

func TestMaintenanceStartedDuringRevertRemains(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for slug, complete := range map[string]func(slug string, old tenancy.Tenant) error{
		"resume": func(slug string, _ tenancy.Tenant) error { _, err := f.tenants.Resume(t.Context(), slug); return err },
		"revert": func(slug string, old tenancy.Tenant) error {
			_, err := f.tenants.RevertReplacement(t.Context(), slug, old.Schema)
			return err
		},
		"confirm": func(slug string, old tenancy.Tenant) error {
			r, err := f.tenants.RetainedSchema(t.Context(), slug)
			require.NoError(t, err)
			_, err = approveAndConfirm(t.Context(), f.fourEyesManager(t), slug, r.Schema)
			return err
		},
	} {
		old := f.create(t, slug)
		f.replace(t, slug)
		f.stopRevert(t, slug, old.Schema)
		until := time.Now().Add(time.Hour).Truncate(time.Second)
		_, err := f.tenants.StartMaintenance(t.Context(), slug, tenancy.MaintenanceParams{Reason: "moving", Until: until})
		require.NoError(t, err)
		require.NoError(t, complete(slug, old))
		got, err := f.tenants.BySlug(t.Context(), slug)
		require.NoError(t, err)
		assert.Equal(t, tenancy.Maintenance, got.Status, slug)
		assert.Equal(t, "moving", got.Reason, slug)
		assert.WithinDuration(t, until, got.Until, 0, slug)
	}
}

func TestStoppedRevertIsEndedByStatusChange(t *testing.T) {
	t.Parallel()
	f := setup(t)
	suspend := func(slug string) (tenancy.Tenant, error) { return f.tenants.Suspend(t.Context(), slug, "unpaid") }
	maintain := func(slug string) (tenancy.Tenant, error) {
		return f.tenants.StartMaintenance(t.Context(), slug, tenancy.MaintenanceParams{})
	}
	activate := func(slug string, _ tenancy.Tenant) error {
		_, err := f.tenants.Activate(t.Context(), slug)
		return err
	}
	end := func(slug string, _ tenancy.Tenant) error {
		_, err := f.tenants.EndMaintenance(t.Context(), slug)
		return err
	}
	resume := func(slug string, _ tenancy.Tenant) error {
		_, err := f.tenants.Resume(t.Context(), slug)
		return err
	}
	again := func(slug string, old tenancy.Tenant) error {
		_, err := f.tenants.RevertReplacement(t.Context(), slug, old.Schema)
		return err
	}
	suspendLater := func(slug string, _ tenancy.Tenant) error {
		_, err := suspend(slug)
		return err
	}
	none := func(slug string) (tenancy.Tenant, error) { return f.tenants.BySlug(t.Context(), slug) }
	for slug, c := range map[string]struct {
		before func(slug string) (tenancy.Tenant, error)
		after  []func(slug string, old tenancy.Tenant) error
	}{
		"suspended-activate": {suspend, []func(string, tenancy.Tenant) error{activate}},
		"suspended-resume":   {suspend, []func(string, tenancy.Tenant) error{resume, activate}},
		"suspended-again":    {suspend, []func(string, tenancy.Tenant) error{again, activate}},
		"maintenance-end":    {maintain, []func(string, tenancy.Tenant) error{end}},
		"maintenance-again":  {maintain, []func(string, tenancy.Tenant) error{again, end}},
		"active-end":         {none, []func(string, tenancy.Tenant) error{end}},
		"active-suspend":     {none, []func(string, tenancy.Tenant) error{suspendLater, activate}},
	} {
		old := f.create(t, slug)
		f.insertNote(t, old, "old")
		replaced := f.replace(t, slug)
		_, err := c.before(slug)
		require.NoError(t, err)
		f.stopRevert(t, slug, old.Schema)
		for i, op := range c.after {
			assert.NoError(t, op(slug, old), "%s, step %d", slug, i)
		}
		f.expectServed(t, slug, "old", "new")
		_, err = f.db.Exec(tenancy.NewContext(t.Context(), &replaced), "insert into notes values ('lost')")
		assert.ErrorIs(t, err, schemactx.ErrNotProvisioned)
		_, err = f.tenants.Resume(t.Context(), slug)
		assert.ErrorIs(t, err, tenancy.ErrStatus)
	}
}

func TestRevertSwapsSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.insertNote(t, a, "old")
	replaced := f.replace(t, "a")
	_, err := f.tenants.RevertReplacement(t.Context(), "a", replaced.Schema)
	assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
	for i, want := range []string{"old", "new", "old"} {
		retained, err := f.tenants.RetainedSchema(t.Context(), "a")
		require.NoError(t, err)
		got, err := f.tenants.RevertReplacement(t.Context(), "a", retained.Schema)
		require.NoError(t, err)
		assert.Equal(t, tenancy.Active, got.Status, "revert %d", i)
		assert.Equal(t, retained.Schema, got.Schema, "revert %d", i)
		assert.Equal(t, []string{want}, f.tenantNotes(t, got), "revert %d", i)
		other := replaced
		if want == "new" {
			other = a
		}
		_, err = f.db.Exec(tenancy.NewContext(t.Context(), &other), "insert into notes values ('lost')")
		assert.ErrorIs(t, err, schemactx.ErrNotProvisioned)
	}
}

// A confirmation that was refused before anything was gone leaves no operation.
func TestRefusedConfirmationCanBeReverted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.createReplaced(t, "a")
	retained, err := f.tenants.RetainedSchema(t.Context(), "a")
	require.NoError(t, err)
	alter := func(owner string) {
		t.Helper()
		_, err := f.pg.Pool.Exec(t.Context(), "alter schema "+retained.Schema+" owner to "+owner)
		require.NoError(t, err)
	}
	alter("current_user")
	m, _ := f.dropManager(t, tenancy.DropConfig{FourEyes: true})
	stopped, err := approveAndConfirm(t.Context(), m, "a", retained.Schema)
	require.ErrorIs(t, err, admin.ErrTaken)
	assert.Nil(t, stopped.Operation)
	alter(f.roles.Owner())
	_, err = f.tenants.RevertReplacement(t.Context(), "a", retained.Schema)
	require.NoError(t, err)
	f.expectServed(t, "a", "old", "new")
	f.expectInvariants(t)
}
