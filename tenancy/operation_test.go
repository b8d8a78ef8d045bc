package tenancy_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

func TestInterruptedReplacementIsRevertedConfirmedOrEnded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, step := range []string{"open", "close", "serve"} {
		slug := "revert-" + step
		retained := f.stopReplacement(t, slug, step)
		_, err := f.tenants.RevertReplacement(t.Context(), slug, retained)
		require.NoError(t, err, step)
		f.expectServed(t, slug, "old", "new")
		f.confirmReplacement(t.Context(), t, slug)

		slug = "confirm-" + step
		retained = f.stopReplacement(t, slug, step)
		_, err = approveAndConfirm(t.Context(), f.fourEyesManager(t), slug, retained)
		require.NoError(t, err, step)
		f.expectServed(t, slug, "new")

		slug = "serve-" + step
		f.stopReplacement(t, slug, step)
		_, err = f.tenants.EndMaintenance(t.Context(), slug)
		require.NoError(t, err, step)
		f.expectServed(t, slug, "new", "old")

		slug = "taken-over-" + step
		f.stopReplacement(t, slug, step)
		_, err = f.tenants.StartMaintenance(t.Context(), slug, tenancy.MaintenanceParams{Reason: "by hand"})
		require.NoError(t, err, step)
		got, err := f.tenants.Resume(t.Context(), slug)
		require.NoError(t, err, step)
		assert.Equal(t, tenancy.Maintenance, got.Status, "a maintenance that was started by hand goes on")
		assert.Nil(t, got.Operation)
	}
	f.expectInvariants(t)
}

// An unfinished operation blocks every other operation of the tenant with several steps.
func TestUnfinishedOperationBlocksOthers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	injected := errors.New("stopped")
	expectBusy := func(err error, with tenancy.Op) {
		t.Helper()
		var busy *tenancy.BusyError
		require.ErrorAs(t, err, &busy)
		require.ErrorIs(t, err, tenancy.ErrBusy)
		assert.Equal(t, with, busy.Tenant.Operation.Op)
	}

	retained := f.stopReplacement(t, "a", "close")
	_, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "renamed"})
	expectBusy(err, tenancy.OpReplace)
	_, err = f.tenants.StageReplacement(t.Context(), "a")
	expectBusy(err, tenancy.OpReplace)
	_, err = f.tenants.Resume(t.Context(), "a")
	require.NoError(t, err)

	m := f.stopAt(t, "drop", injected)
	r, err := m.RequestConfirm(t.Context(), "a", retained, actor)
	require.NoError(t, err)
	p := tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor}
	stopped, err := m.ConfirmReplacement(t.Context(), p, retained)
	require.ErrorIs(t, err, injected)
	assert.Equal(t, actor, stopped.Operation.Actor)
	_, err = f.tenants.Resume(t.Context(), "a")
	expectBusy(err, tenancy.OpConfirm)
	_, err = f.tenants.RevertReplacement(t.Context(), "a", retained)
	expectBusy(err, tenancy.OpConfirm)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "renamed"})
	expectBusy(err, tenancy.OpConfirm)
	m = f.managerWith(t, func(cfg *tenancy.Config) { cfg.Drop.Enabled = true })
	_, err = m.ConfirmReplacement(t.Context(), p, retained)
	require.NoError(t, err)
	f.expectServed(t, "a", "new")

	b := f.create(t, "b")
	_, err = f.stopAt(t, "switch", injected).Rename(t.Context(), "b", tenancy.RenameParams{Schema: "renamed"})
	require.ErrorIs(t, err, injected)
	_, err = f.tenants.RevertReplacement(t.Context(), "b", b.Schema)
	expectBusy(err, tenancy.OpRename)
	_, err = f.tenants.Suspend(t.Context(), "b", "unpaid")
	require.NoError(t, err)
	got, err := f.tenants.Resume(t.Context(), "b")
	require.NoError(t, err)
	assert.Equal(t, "renamed", got.Schema)
	assert.Equal(t, tenancy.Suspended, got.Status)
	f.expectInvariants(t)
}

func TestOperationOfLaterReleaseIsNotResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	_, err := f.owner.Exec(t.Context(), `insert into public.registry_operations (tenant_id, operation, step)
		values ($1, 'split', 'copy')`, a.ID)
	require.NoError(t, err)
	_, err = f.tenants.Resume(t.Context(), "a")
	require.ErrorIs(t, err, tenancy.ErrBusy)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "renamed"})
	require.ErrorIs(t, err, tenancy.ErrBusy)
	_, err = f.tenants.Activate(t.Context(), "a")
	require.ErrorIs(t, err, tenancy.ErrBusy)
	_, err = f.tenants.EndMaintenance(t.Context(), "a")
	require.ErrorIs(t, err, tenancy.ErrBusy)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	_, err = m.Drop(t.Context(), request(t, m, "a"))
	require.ErrorIs(t, err, tenancy.ErrBusy)
	_, err = f.owner.Exec(t.Context(), "delete from public.registry_operations")
	require.NoError(t, err)
	f.expectInvariants(t)
}

func TestArgumentsOfLaterReleaseAreKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.stopReplacement(t, "a", "close")
	expectArguments := func(want string) {
		t.Helper()
		assert.Equal(t, []string{want}, f.queryStrings(t, `select (arguments - 'schema')::text
			from public.registry_operations`))
	}
	f.exec(t, `update public.registry_operations set arguments = arguments || '{"step": [], "later": 1}'`)
	require.Error(t, resume(t.Context(), f.stopAt(t, "close", errors.New("stopped")), "a"))
	expectArguments(`{"step": [], "later": 1, "reopen": true}`)
	got, err := f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), "alter schema "+got.Schema+" owner to current_user")
	require.NoError(t, err)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	_, err = m.Drop(t.Context(), request(t, m, "a"))
	require.ErrorIs(t, err, admin.ErrTaken)
	_, err = f.pg.Pool.Exec(t.Context(), "alter schema "+got.Schema+" owner to "+f.roles.Owner())
	require.NoError(t, err)
	expectArguments(`{"step": [], "later": 1, "reopen": true}`)
	got, err = f.tenants.StartMaintenance(t.Context(), "a", tenancy.MaintenanceParams{})
	require.NoError(t, err)
	assert.Equal(t, "close", got.Operation.Step)
	expectArguments(`{"step": [], "later": 1}`)

	f.exec(t, "update public.registry_operations set arguments = arguments || $1::jsonb", `{"schema": 1, "reopen": 2}`)
	got, err = f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "1", got.Operation.Schema)
	require.NoError(t, resume(t.Context(), f.tenants, "a"))
	f.expectInvariants(t)
}
