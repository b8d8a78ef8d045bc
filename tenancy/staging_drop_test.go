package tenancy_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// A registry that was taken back from a backup gives out ids again, and does not know the tenants
// that had them.
func TestStagingDoesNotReuseUnregisteredSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	live := f.create(t, "a")
	f.insertNote(t, live, "precious")
	for _, sql := range []string{
		"with hosts as (delete from public.domains) delete from public.tenants", "delete from public.schema_names",
		"alter table public.tenants alter column id restart",
	} {
		_, err := f.owner.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	_, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "b", Domain: "b.example.com"})
	assert.ErrorIs(t, err, admin.ErrTaken)
	_, err = f.tenants.SweepStagedSchemas(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"precious"}, f.tenantNotes(t, live))
	assert.Empty(t, f.auxiliarySchemas(t))
}

// A drop that returned nil beside one left its schema, with the tenant's rows, to a sweep.
func TestDropIsRefusedWhileReplacementIsStaged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	dropper, _ := f.dropManager(t, tenancy.DropConfig{})
	s := f.stageReplacement(t, "a", "new")
	before := f.snapshot(t)
	_, err := dropper.Drop(t.Context(), request(t, dropper, "a"))
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	after := f.snapshot(t)
	assert.Equal(t, before, after, "changed:\n%s\nbefore", after)
	require.NoError(t, s.Close(t.Context()))
	_, err = dropper.Drop(t.Context(), request(t, dropper, "a"))
	require.NoError(t, err)
	assert.Empty(t, f.auxiliarySchemas(t))
	f.expectInvariants(t)
}

// A staging that begins behind the check stops the drop at its step: no drop is done while a schema
// of the tenant is left.
func TestDropStopsWhenStagingBeginsDuringIt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	var s *tenancy.Staging
	dropper := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Drop = tenancy.DropConfig{
			Enabled: true,
			Approve: tenancy.ApproverFunc(func(context.Context, tenancy.ApprovalData) error {
				if s == nil {
					s = f.stageReplacement(t, "a", "new")
				}
				return nil
			}),
		}
		cfg.Hooks.After = func(_ context.Context, data tenancy.StepData) {
			if data.Step == "mark" {
				_, err := f.tenants.StageReplacement(context.Background(), "a")
				assert.ErrorIs(t, err, tenancy.ErrStatus)
			}
		}
	})
	p := request(t, dropper, "a")
	_, err := dropper.Drop(t.Context(), p)
	var stopped *tenancy.StepError
	if assert.ErrorAs(t, err, &stopped) {
		assert.ErrorIs(t, err, tenancy.ErrStatus)
	}
	_, err = s.Replace(t.Context())
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	require.NoError(t, s.Close(t.Context()))
	_, err = dropper.Drop(t.Context(), p)
	require.NoError(t, err)
	assert.Empty(t, f.auxiliarySchemas(t))
	f.expectInvariants(t)
}

// What a tenant was served from holds its data: a drop does not forget it because its role is gone.
func TestDropKeepsRecordOfSchemaItCannotDrop(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.replace(t, "a")
	_, err := f.pg.Pool.Exec(
		t.Context(),
		"alter schema "+a.Schema+" owner to "+pgx.Identifier{f.roles.Public()}.Sanitize(),
	)
	require.NoError(t, err)
	dropper, _ := f.dropManager(t, tenancy.DropConfig{})
	p := request(t, dropper, "a")
	_, err = dropper.Drop(t.Context(), p)
	assert.ErrorIs(t, err, admin.ErrTaken)
	_, err = f.pg.Pool.Exec(t.Context(), "alter schema "+a.Schema+" owner to "+pgx.Identifier{f.roles.Owner()}.Sanitize())
	require.NoError(t, err)
	_, err = dropper.Drop(t.Context(), p)
	require.NoError(t, err)
	f.expectInvariants(t)
}

func TestMaintenanceStartedDuringRevertRemains(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for slug, goOn := range map[string]func(slug string, old tenancy.Tenant) error{
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
		require.NoError(t, goOn(slug, old))
		got, err := f.tenants.BySlug(t.Context(), slug)
		require.NoError(t, err)
		if assert.Equal(t, tenancy.Maintenance, got.Status, "%s: %s %q %v", slug, got.Status, got.Reason, got.Until) &&
			assert.Equal(t, "moving", got.Reason, "%s: %s %q %v", slug, got.Status, got.Reason, got.Until) {
			assert.WithinDuration(t, until, got.Until, 0, slug)
		}
	}
}

// halted makes a revert stop behind its switch.
func (f *fixture) stopRevert(t *testing.T, slug string, retained string) {
	t.Helper()
	m := f.manager(t, tenancy.Config{Hooks: tenancy.Hooks{Before: func(_ context.Context, data tenancy.StepData) error {
		if data.Step == "open" {
			return pgx.ErrTxClosed
		}
		return nil
	}}})
	_, err := m.RevertReplacement(t.Context(), slug, retained)
	assert.ErrorIs(t, err, pgx.ErrTxClosed)
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
	none := func(slug string) (tenancy.Tenant, error) { return f.tenants.BySlug(t.Context(), slug) }
	for slug, c := range map[string]struct {
		before func(slug string) (tenancy.Tenant, error)
		after  []func(slug string, old tenancy.Tenant) error
	}{
		"suspended-activate":  {suspend, []func(string, tenancy.Tenant) error{activate}},
		"suspended-resume":    {suspend, []func(string, tenancy.Tenant) error{resume, activate}},
		"suspended-again":     {suspend, []func(string, tenancy.Tenant) error{again, activate}},
		"maintenance-end":     {maintain, []func(string, tenancy.Tenant) error{end}},
		"maintenance-again":   {maintain, []func(string, tenancy.Tenant) error{again, end}},
		"active-end":          {none, []func(string, tenancy.Tenant) error{end}},
		"suspended-after-all": {none, []func(string, tenancy.Tenant) error{func(slug string, _ tenancy.Tenant) error { _, err := suspend(slug); return err }, activate}},
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

func TestDropIncludesRetainedSchemaAndItsDependents(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	dropper, _ := f.dropManager(t, tenancy.DropConfig{})
	alone, err := dropper.RequestDrop(t.Context(), "a", actor)
	require.NoError(t, err)
	f.replace(t, "a")
	both, err := dropper.RequestDrop(t.Context(), "a", actor)
	require.NoError(t, err)
	assert.NotZero(t, alone.Contents.Tables, "contents %+v, and with what is retained %+v", alone.Contents, both.Contents)
	assert.Equal(t, 2*alone.Contents.Tables, both.Contents.Tables,
		"contents %+v, and with what is retained %+v", alone.Contents, both.Contents)
	assert.Greater(t, both.Contents.Bytes, alone.Contents.Bytes,
		"contents %+v, and with what is retained %+v", alone.Contents, both.Contents)
	_, err = f.pg.Pool.Exec(t.Context(), "create view public.all_notes as select * from "+a.Schema+".notes")
	require.NoError(t, err)
	before := f.snapshot(t)
	_, err = dropper.Drop(t.Context(), request(t, dropper, "a"))
	var dependents *admin.DependentsError
	assert.ErrorAs(t, err, &dependents)
	after := f.snapshot(t)
	assert.Equal(t, before, after, "changed:\n%s\nbefore", after)
}
