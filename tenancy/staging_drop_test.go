package tenancy_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// A registry that was restored from a backup assigns the same ids again and does not contain the
// tenants that had them.
func TestStagingDoesNotReuseUnregisteredSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	live := f.create(t, "a")
	f.insertNote(t, live, "of a")
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
	assert.Equal(t, []string{"of a"}, f.tenantNotes(t, live))
	assert.Empty(t, f.auxiliarySchemas(t))
}

// Otherwise the drop would succeed and the staged schema, with the tenant's rows, would remain.
func TestDropIsRefusedWhileReplacementIsStaged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	dropper, _ := f.dropManager(t, tenancy.DropConfig{})
	s := f.stageReplacement(t, "a", "new")
	before := f.snapshot(t)
	_, err := dropper.Drop(t.Context(), request(t, dropper, "a"))
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	assert.Equal(t, before, f.snapshot(t))
	require.NoError(t, s.Close(t.Context()))
	_, err = dropper.Drop(t.Context(), request(t, dropper, "a"))
	require.NoError(t, err)
	assert.Empty(t, f.auxiliarySchemas(t))
	f.expectInvariants(t)
}

// A staging that begins after the check stops the drop at a step: a drop does not succeed while the
// tenant has another schema.
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

// A retained schema has rows of the tenant. A drop keeps its record if the schema cannot be
// dropped.
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
	assert.Equal(t, before, f.snapshot(t))
}
