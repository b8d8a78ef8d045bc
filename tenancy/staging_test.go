package tenancy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// build migrates a staged schema and gives it one note.
func (f *fixture) fillStaging(t testing.TB, s *tenancy.Staging, body string) {
	t.Helper()
	require.NoError(t, migrateAndInsertNote(t.Context(), f.migrator, f.owner, s.Schema(), body))
}

// buildNote is what a process does that is to be killed, too.
func migrateAndInsertNote(ctx context.Context, m tenancy.Migrator, owner admin.Beginner, schema, body string) error {
	if err := m.Migrate(ctx, schema); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into "+pgx.Identifier{schema, "notes"}.Sanitize()+" values ($1)", body)
		return err
	})
}

// notesIn reads a schema's notes as the owner.
func (f *fixture) schemaNotes(t testing.TB, schema string) []string {
	t.Helper()
	rows, err := f.owner.Query(t.Context(), "select body from "+pgx.Identifier{schema, "notes"}.Sanitize()+" order by 1")
	require.NoError(t, err)
	notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return notes
}

// seen are the notes that the tenant sees, as the runtime login.
func (f *fixture) tenantNotes(t testing.TB, tenant tenancy.Tenant) []string {
	t.Helper()
	rows, err := f.db.Query(tenancy.NewContext(t.Context(), &tenant), "select body from notes order by 1")
	require.NoError(t, err)
	notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return notes
}

func (f *fixture) stageReplacement(t testing.TB, slug, body string) *tenancy.Staging {
	t.Helper()
	s, err := f.tenants.StageReplacement(t.Context(), slug)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.WithoutCancel(t.Context()))) })
	f.fillStaging(t, s, body)
	return s
}

// replace gives a tenant a schema with one note, "new".
func (f *fixture) replace(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	s := f.stageReplacement(t, slug, "new")
	replaced, err := s.Replace(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	return replaced
}

func (f *fixture) auxiliarySchemas(t testing.TB) (states []string) {
	t.Helper()
	all, err := f.tenants.AuxiliarySchemas(t.Context())
	require.NoError(t, err)
	for _, s := range all {
		states = append(states, fmt.Sprintf("%s retained: %t", s.Schema, s.Retained))
	}
	return states
}

func TestAdoptStagedTenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{
		Slug:     "a",
		Name:     "A",
		Domain:   "A.example.com",
		Domains:  []string{"b.example.com", "a.example.com"},
		Status:   tenancy.Suspended,
		Reason:   "unpaid",
		Plan:     "gold",
		Limits:   map[string]int64{"connections": 3},
		Metadata: json.RawMessage(`{"x":1}`),
	})
	require.NoError(t, err)
	f.fillStaging(t, s, "one")
	_, err = f.tenants.BySlug(t.Context(), "a")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	got, err := s.Adopt(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	if assert.Equal(t, s.Schema(), got.Schema, "adopted %+v", got) &&
		assert.Equal(t, s.TenantID(), got.ID, "adopted %+v", got) &&
		assert.Equal(t, tenancy.Suspended, got.Status, "adopted %+v", got) &&
		assert.Equal(t, "unpaid", got.Reason, "adopted %+v", got) &&
		assert.Equal(t, "gold", got.Plan, "adopted %+v", got) &&
		assert.Equal(t, int64(3), got.Limits["connections"], "adopted %+v", got) {
		assert.Equal(t, `{"x": 1}`, string(got.Metadata), "adopted %+v", got)
	}
	f.expectHosts(t, "a", "a! b")
	assert.Equal(t, []string{"one"}, f.tenantNotes(t, got))
	_, err = s.Adopt(t.Context())
	assert.ErrorIs(t, err, tenancy.ErrStagingLost)
	assert.Empty(t, f.auxiliarySchemas(t))
	f.expectInvariants(t)
}

func TestStageTenantRefusesInvalidParams(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	before := f.snapshot(t)
	for field, p := range map[string]tenancy.AdoptParams{
		"slug":     {Slug: "A b", Domain: "x.example.com"},
		"domain":   {Slug: "x", Domain: "not a host"},
		"status":   {Slug: "x", Domain: "x.example.com", Status: tenancy.Dropping},
		"reason":   {Slug: "x", Domain: "x.example.com", Reason: "why"},
		"metadata": {Slug: "x", Domain: "x.example.com", Metadata: json.RawMessage("[]")},
		"limits":   {Slug: "x", Domain: "x.example.com", Limits: map[string]int64{"x": -1}},
		"plan":     {Slug: "x", Domain: "x.example.com", Plan: "a\nb"},
	} {
		_, err := f.tenants.StageTenant(t.Context(), p)
		expectField(t, err, field)
	}
	_, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "a", Domain: "x.example.com"})
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
	_, err = f.tenants.StageTenant(
		t.Context(),
		tenancy.AdoptParams{Slug: "x", Domain: "x.example.com", Domains: []string{"a.example.com"}},
	)
	assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
	after := f.snapshot(t)
	assert.Equal(t, before, after, "changed:\n%s\nbefore", after)
}

func TestAdoptRefusesTakenSlug(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "a", Domain: "a.example.com"})
	require.NoError(t, err)
	f.create(t, "a")
	before := f.snapshot(t)
	_, err = s.Adopt(t.Context())
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
	var stepErr *tenancy.StepError
	if assert.ErrorAs(t, err, &stepErr) {
		assert.Equal(t, tenancy.OpAdopt, stepErr.Op)
	}
	after := f.snapshot(t)
	assert.Equal(t, before, after, "changed:\n%s\nbefore", after)
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	f.expectInvariants(t)
}

func TestReplaceServesNewSchemaAndRevokesOld(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.insertNote(t, a, "old")
	s := f.stageReplacement(t, "a", "new")
	got, err := s.Replace(t.Context())
	require.NoError(t, err)
	if assert.Equal(t, a.ID, got.ID, "replaced %+v", got) &&
		assert.Equal(t, s.Schema(), got.Schema, "replaced %+v", got) {
		assert.Equal(t, tenancy.Active, got.Status, "replaced %+v", got)
	}
	assert.Equal(t, []string{"new"}, f.tenantNotes(t, got))
	_, err = f.db.Exec(tenancy.NewContext(t.Context(), &a), "insert into notes values ('lost')") // who has not heard of it
	assert.ErrorIs(t, err, schemactx.ErrNotProvisioned)
	retained, err := f.tenants.RetainedSchema(t.Context(), "a")
	require.NoError(t, err)
	if assert.Equal(t, a.Schema, retained.Schema, "retained %+v", retained) {
		assert.Equal(t, []string{"old"}, f.schemaNotes(t, retained.Schema), "retained %+v", retained)
	}
	var replaced *tenancy.ReplacedError
	_, err = f.tenants.StageReplacement(t.Context(), "a")
	if assert.ErrorAs(t, err, &replaced, "a second replacement") {
		assert.Equal(t, a.Schema, replaced.Retained, "a second replacement")
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
		if assert.Equal(t, tenancy.Active, got.Status, "revert %d: %+v", i, got) &&
			assert.Equal(t, retained.Schema, got.Schema, "revert %d: %+v", i, got) {
			assert.Equal(t, []string{want}, f.tenantNotes(t, got), "revert %d: %+v", i, got)
		}
		other := replaced
		if want == "new" {
			other = a
		}
		_, err = f.db.Exec(tenancy.NewContext(t.Context(), &other), "insert into notes values ('lost')")
		assert.ErrorIs(t, err, schemactx.ErrNotProvisioned)
	}
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
	assert.Equal(t, []string{"new"}, f.tenantNotes(t, got), "the new notes are gone")
	_, err = approveAndConfirm(t.Context(), f.fourEyesManager(t), "a", a.Schema)
	assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
	assert.Empty(t, f.auxiliarySchemas(t))
	f.expectInvariants(t)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "b"})
	require.NoError(t, err)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: strings.Clone(replaced.Schema)})
	assert.ErrorIs(t, err, admin.ErrTaken) // as the names of all schemas that the tenant has had
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
		assert.Equal(t, before.Status, after.Status, "replaced %+v", after)
		assert.Equal(t, before.Reason, after.Reason, "replaced %+v", after)
		after, err = f.tenants.RevertReplacement(t.Context(), slug, before.Schema)
		require.NoError(t, err)
		assert.Equal(t, before.Status, after.Status, "reverted %+v", after)
		assert.Equal(t, before.Reason, after.Reason, "reverted %+v", after)
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
	f.awaitWaiter(t, a.Schema)
	stop()
	err = <-replaced
	var stepErr *tenancy.StepError
	if assert.ErrorAs(t, err, &stepErr) && assert.Equal(t, "close", stepErr.Step) {
		assert.Equal(t, tenancy.Maintenance, stepErr.Tenant.Status)
	}
	_, err = tx.Exec(ctx, "insert into notes values ('late')")
	assert.Error(t, err, "it goes on writing")
	_ = tx.Rollback(ctx)
	got, err := f.tenants.Resume(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, got.Status, "resumed %+v", got)
	_, err = f.tenants.Resume(t.Context(), "a")
	assert.ErrorIs(t, err, tenancy.ErrStatus)
}

// awaitWaiter waits until somebody waits for a lock on a schema's table of notes.
func (f *fixture) awaitWaiter(t *testing.T, schema string) {
	t.Helper()
	for waits := false; !waits; {
		require.NoError(
			t,
			f.pg.Pool.QueryRow(t.Context(), "select exists (select from pg_locks where relation = $1::text::regclass and not granted)",
				schema+".notes").
				Scan(&waits),
		)
	}
}

func TestReplaceRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.tenants.StageReplacement(t.Context(), "nobody")
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

	// What has changed while it was built.
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

func TestDropRemovesRetainedSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	replaced := f.replace(t, "a")
	dropper, _ := f.dropManager(t, tenancy.DropConfig{})
	_, err := dropper.Drop(t.Context(), request(t, dropper, "a"))
	require.NoError(t, err)
	for _, tenant := range []tenancy.Tenant{a, replaced} {
		assert.Empty(t, f.leftovers(t, tenant))
	}
	f.expectInvariants(t)
}

func TestSweepDropsAbandonedStagedSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	live := f.stageReplacement(t, "a", "new")
	dead, err := f.tenants.StageScratch(t.Context())
	require.NoError(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), `select pg_terminate_backend(pid) from public.registry_locks
		where key = 'side ' || (select id from public.side_schemas where schema_name = $1)`, dead.Schema())
	require.NoError(t, err)
	report := tenancy.SweepReport{}
	for len(report.Dropped) == 0 { // the session takes a moment to end
		report, err = f.tenants.SweepStagedSchemas(t.Context())
		require.NoError(t, err)
	}
	if assert.Equal(t, []string{dead.Schema()}, report.Dropped, "swept %+v", report) {
		assert.Equal(t, []string{live.Schema()}, report.InUse, "swept %+v", report)
	}
	_ = dead.Close(t.Context())
	_, err = live.Replace(t.Context())
	require.NoError(t, err)
	report, err = f.tenants.SweepStagedSchemas(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.Dropped)
	assert.Empty(t, report.InUse)
}

func TestStagedSchemaIsDroppedWhenContextEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	before := f.snapshot(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := f.tenants.StageTenant(ctx, tenancy.AdoptParams{Slug: "a", Domain: "a.example.com"})
	require.NoError(t, err)
	f.fillStaging(t, s, "x")
	cancel()
	_, err = s.Adopt(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Close(ctx))
	after := f.snapshot(t)
	assert.Equal(t, before, after, "changed:\n%s\nbefore", after)
}
