package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

func TestReplaceServesNewSchemaAndRevokesOld(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.insertNote(t, a, "old")
	s := f.stageReplacement(t, "a", "new")
	got, err := s.Replace(t.Context())
	require.NoError(t, err)
	assert.Equal(t, a.ID, got.ID)
	assert.Equal(t, s.Schema(), got.Schema)
	assert.Equal(t, tenancy.Active, got.Status)
	assert.Equal(t, []string{"new"}, f.tenantNotes(t, got))
	oldContext := tenancy.NewContext(t.Context(), &a) // with the old schema name
	_, err = f.db.Exec(oldContext, "insert into notes values ('lost')")
	assert.ErrorIs(t, err, schemactx.ErrNotProvisioned)
	retained, err := f.tenants.RetainedSchema(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, a.Schema, retained.Schema)
	assert.Equal(t, []string{"old"}, f.schemaNotes(t, retained.Schema))
	var replaced *tenancy.ReplacedError
	_, err = f.tenants.StageReplacement(t.Context(), "a")
	if assert.ErrorAs(t, err, &replaced, "a second replacement") {
		assert.Equal(t, a.Schema, replaced.Retained, "a second replacement")
	}
}

func TestReplaceKeepsStatus(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for slug, change := range map[string]func() (tenancy.Tenant, error){
		"a": func() (tenancy.Tenant, error) { return f.tenants.Suspend(t.Context(), "a", "unpaid") },
		"b": func() (tenancy.Tenant, error) {
			return f.tenants.StartMaintenance(t.Context(), "b", tenancy.MaintenanceParams{Reason: "moving"})
		},
	} {
		f.create(t, slug)
		before, err := change()
		require.NoError(t, err)
		after := f.replace(t, slug)
		assert.Equal(t, before.Status, after.Status, "status after the replacement")
		assert.Equal(t, before.Reason, after.Reason, "reason after the replacement")
		after, err = f.tenants.RevertReplacement(t.Context(), slug, before.Schema)
		require.NoError(t, err)
		assert.Equal(t, before.Status, after.Status, "status after the revert")
		assert.Equal(t, before.Reason, after.Reason, "reason after the revert")
	}
}

func TestReplaceWaitsForRunningWriters(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	s := f.stageReplacement(t, "a", "new")
	ctx := tenancy.NewContext(t.Context(), &a)
	tx, err := f.db.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "insert into notes values ('in flight')")
	require.NoError(t, err)
	stopped, stop := context.WithCancel(t.Context())
	replaced := make(chan error, 1)
	go func() {
		_, err := s.Replace(stopped)
		replaced <- err
	}()
	f.waitUntil(t, "exists (select from pg_locks where relation = $1::text::regclass and not granted)",
		a.Schema+".notes")
	stop()
	err = <-replaced
	var stepErr *tenancy.StepError
	if assert.ErrorAs(t, err, &stepErr) {
		assert.Equal(t, "close", stepErr.Step)
		assert.Equal(t, tenancy.Maintenance, stepErr.Tenant.Status)
	}
	_, err = tx.Exec(ctx, "insert into notes values ('late')")
	assert.Error(t, err, "the running transaction writes after the privileges are revoked")
	_ = tx.Rollback(ctx)
	got, err := f.tenants.Resume(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, got.Status)
	_, err = f.tenants.Resume(t.Context(), "a")
	assert.ErrorIs(t, err, tenancy.ErrStatus)
}

func TestReplaceRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.tenants.StageReplacement(t.Context(), "missing")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	f.create(t, "a")
	scratch, err := f.tenants.StageScratch(t.Context())
	require.NoError(t, err)
	_, err = scratch.Replace(t.Context())
	assert.ErrorIs(t, err, tenancy.ErrStagingLost)
	_, err = scratch.Adopt(t.Context())
	assert.ErrorIs(t, err, tenancy.ErrStagingLost)
	require.NoError(t, scratch.Close(t.Context()))
	f.create(t, "b")
	f.stopRename(t, "b", "new_b")
	_, err = f.tenants.StageReplacement(t.Context(), "b")
	assert.ErrorIs(t, err, tenancy.ErrBusy)
	_, err = f.tenants.Resume(t.Context(), "b")
	require.NoError(t, err)

	// The tenant changes while a replacement is staged.
	s := f.stageReplacement(t, "a", "new")
	dropper, _ := f.dropManager(t, tenancy.DropConfig{})
	_, err = dropper.Drop(t.Context(), request(t, dropper, "a"))
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	f.stopRename(t, "a", "new_a")
	_, err = s.Replace(t.Context())
	assert.ErrorIs(t, err, tenancy.ErrBusy)
	require.NoError(t, s.Close(t.Context()))
	_, err = f.tenants.Resume(t.Context(), "a")
	require.NoError(t, err)
	f.expectInvariants(t)
}

func TestConfirmDropsRetainedSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	replaced := f.replace(t, "a")
	for _, schema := range []string{replaced.Schema, "tenant_77", "", "a\x00b"} {
		_, err := approveAndConfirm(t.Context(), f.fourEyesManager(t), "a", schema)
		assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
	}
	got, err := approveAndConfirm(t.Context(), f.fourEyesManager(t), "a", a.Schema)
	require.NoError(t, err)
	assert.Equal(t, []string{"new"}, f.tenantNotes(t, got))
	_, err = approveAndConfirm(t.Context(), f.fourEyesManager(t), "a", a.Schema)
	assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
	assert.Empty(t, f.auxiliarySchemas(t))
	f.expectInvariants(t)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "b"})
	require.NoError(t, err)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: replaced.Schema})
	assert.ErrorIs(t, err, admin.ErrTaken) // earlier schema names stay reserved
}

func TestConfirmRefusesDependents(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.replace(t, "a")
	_, err := f.pg.Pool.Exec(t.Context(), "create view public.all_notes as select * from "+a.Schema+".notes")
	require.NoError(t, err)
	_, err = approveAndConfirm(t.Context(), f.fourEyesManager(t), "a", a.Schema)
	var dependents *admin.DependentsError
	assert.ErrorAs(t, err, &dependents)
	_, err = f.tenants.RevertReplacement(t.Context(), "a", a.Schema)
	require.NoError(t, err)
}
