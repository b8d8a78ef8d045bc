package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// failingReader fails after n bytes.
type failingReader struct {
	r   io.Reader
	n   int
	err error
}

func (f *failingReader) Read(p []byte) (int, error) {
	if f.n <= 0 {
		return 0, f.err
	}
	n, err := f.r.Read(p[:min(len(p), f.n)])
	f.n -= n
	return n, err
}

// A restore that fails leaves everything as it was, and can be run again.
func TestARestoreThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	f := setup(t, pupils)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, fmt.Sprintf(fillPupils, 3000))
	var archived bytes.Buffer
	_, err := f.service(t, backup.Config{}).BackupTo(t.Context(), "north", &archived, backup.BackupOptions{})
	require.NoError(t, err)
	want, before := f.content(t, "north"), f.everything(t)
	storage, over := errors.New("storage away"), errors.New("over")

	run := func(ctx context.Context, src io.Reader, progress func(ctx context.Context, e backup.Event)) error {
		_, err := f.service(t, backup.Config{Progress: progress}).RestoreFrom(ctx, src,
			backup.RestoreOptions{Replace: "north"})
		return err
	}
	for _, part := range []int{0, 1000, archived.Len() / 3, archived.Len() / 2, archived.Len() - 700} {
		err := run(t.Context(), &failingReader{bytes.NewReader(archived.Bytes()), part, storage}, nil)
		assert.ErrorIs(t, err, storage)
	}
	for _, kind := range []backup.EventKind{
		backup.EventBuilding, backup.EventLoaded, backup.EventChecking,
		backup.EventSwitching,
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		err := run(ctx, bytes.NewReader(archived.Bytes()), func(_ context.Context, e backup.Event) {
			if e.Kind == kind {
				cancel(over)
			}
		})
		cancel(nil)
		assert.True(t, errors.Is(err, context.Canceled) || errors.Is(err, over), "cancelled at %s: %v", kind, err)
	}
	for _, kind := range []backup.EventKind{backup.EventLoaded, backup.EventChecking} {
		killed := false
		err := run(t.Context(), bytes.NewReader(archived.Bytes()), func(_ context.Context, e backup.Event) {
			if e.Kind == kind && !killed {
				killed = true
				_, err := f.pg.Pool.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1",
					f.roles.Owner())
				require.NoError(t, err)
			}
		})
		assert.Error(t, err, "connections were killed at %s, but the restore succeeded", kind)
		f.owner.Reset()
		f.settle(t, "north")
	}
	f.expectContent(t, "north", want)
	after := f.everything(t)
	assert.Equal(t, before, after, "changed:\n%s\nbefore", after)
	require.NoError(t, run(t.Context(), bytes.NewReader(archived.Bytes()), nil))
	f.expectContent(t, "north", want)
}

func TestInvalidRestoresAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	before := f.everything(t)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
	assert.ErrorContains(t, err, "set Replace to restore over that tenant")
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Slug: "south"})
	assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "nobody"})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	var field *tenancy.FieldError
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Slug: "south"})
	assert.ErrorAs(t, err, &field)
	_, err = s.Restore(t.Context(), "1-north/none.tar", backup.RestoreOptions{})
	assert.ErrorIs(t, err, backup.ErrNotFound)
	after := f.everything(t)
	assert.Equal(t, before, after, "changed:\n%s\nbefore", after)
}

func TestAnArchiveOfAnotherTenantRequiresAnyTenant(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	f.create(t, "south")
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "south"})
	var other *backup.OtherTenantError
	if assert.ErrorAs(t, err, &other) && assert.Equal(t, "north", other.Tenant.Slug) {
		assert.Equal(t, "south", other.Slug)
	}
	got, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "south", AnyTenant: true})
	require.NoError(t, err)
	assert.Equal(t, "south", got.Tenant.Slug, "restored %+v", got)
	f.expectContent(t, "south", f.content(t, "north"))
}

func TestDriftedDataIsRestoredAsFarAsItFits(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes+"; alter table notes drop column body; drop table tags")
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	require.NoError(t, err)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	assert.ErrorIs(t, err, backup.ErrMismatch)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Drift: backup.DriftRecord})
	require.NoError(t, err)
	content := f.content(t, "north")
	assert.Equal(t, "id,body\n1,\n2,\n3,\n4,\n5,\n6,\n7,\n8,\n", content["notes"], "restored %q", content)
	assert.Equal(t, "note,tag\n", content["tags"], "restored %q", content)
	f.exec(t, f.schema(t, "north"), "alter table notes add column extra text default 'x'")
	info, err = s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	require.NoError(t, err)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{
		Slug: "new", Domain: "new.example.com",
		Drift: backup.DriftRecord,
	})
	assert.ErrorIs(t, err, backup.ErrMismatch) // the excess rows would be lost
}

func (f *fixture) schema(t *testing.T, slug string) string {
	t.Helper()
	tenant, err := f.tenants.BySlug(t.Context(), slug)
	require.NoError(t, err)
	return tenant.Schema
}

// strictly gives the fixture a runner that refuses edited migrations.
func (f *fixture) strictly(t *testing.T, source migrate.Source) {
	t.Helper()
	var err error
	f.runner, err = migrate.New(f.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}, Tenant: []migrate.Source{source},
		Changed: migrate.Refuse,
	})
	require.NoError(t, err)
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{Migrator: f.runner, Roles: f.roles})
	require.NoError(t, err)
}

func TestEditedMigrationsAreRestoredAsTheRunnersPolicySays(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	before := f.content(t, "north")
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	spaced := migrate.Source{Name: "test", FS: edited(t, notes, "00001_notes.sql", "create table notes",
		"create  table notes")}

	f.migrations(t, spaced) // by default Status reports the edit, and nothing is refused
	status, err := f.runner.Status(t.Context(), tenant.Schema)
	require.NoError(t, err)
	if assert.Equal(t, migrate.Current, status.Outcome, "status %+v", status) {
		assert.Len(t, status.Versions(migrate.Changed), 1, "status %+v", status)
	}
	s := f.service(t, backup.Config{})
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	second, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	_, err = s.Verify(t.Context(), second.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "copy", Domain: "copy.example.com"})
	require.NoError(t, err)
	f.expectContent(t, "copy", before)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Edited: backup.EditedRefuse})
	expectEdited(t, err)

	f.strictly(t, spaced) // one policy for all
	status, err = f.runner.Status(t.Context(), tenant.Schema)
	require.NoError(t, err)
	assert.ErrorIs(t, status.Err, migrate.ErrChanged)
	s = f.service(t, backup.Config{})
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	expectEdited(t, err)
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	expectEdited(t, err)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	expectEdited(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "other", Domain: "other.example.com"})
	expectEdited(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{
		Slug: "other", Domain: "other.example.com",
		Edited: backup.EditedAllow,
	})
	require.NoError(t, err)
	f.expectContent(t, "other", before)
	recorded, err := s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	require.NoError(t, err)
	assert.Len(t, recorded.Differences, 1, "recorded")
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Edited: backup.EditedAllow})
	require.NoError(t, err)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{}) // it has the checksums of the current files
	require.NoError(t, err)
	f.expectContent(t, "north", before)
}

func expectEdited(t *testing.T, err error) {
	t.Helper()
	assert.ErrorIs(t, err, migrate.ErrChanged)
	var versions *backup.VersionsError
	if assert.ErrorAs(t, err, &versions) &&
		assert.Len(t, versions.Edited, 1) &&
		assert.Equal(t, int64(1), versions.Edited[0].Version) {
		assert.Empty(t, versions.Unknown)
	}
}

func TestAnArchiveFromBeforeAnEditOfATableIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	f.migrations(t, migrate.Source{Name: "test", FS: edited(t, notes, "00001_notes.sql", "body text", "content text")})
	s := f.service(t, backup.Config{})
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	assert.ErrorIs(t, err, backup.ErrMismatch)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	assert.ErrorIs(t, err, backup.ErrDrift)
}

func TestABackupIsVerifiedInAScratchSchema(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	before := f.everything(t)
	for range 2 {
		verification, err := s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
		require.NoError(t, err)
		if assert.Equal(t, info.Rows, verification.Rows, "verified %+v", verification) &&
			assert.Equal(t, 2, verification.Tables, "verified %+v", verification) &&
			assert.Equal(t, tenant.ID, verification.Tenant.ID, "verified %+v", verification) {
			assert.WithinDuration(t, info.TakenAt, verification.TakenAt, 0, "verified %+v", verification)
		}
	}
	var archived bytes.Buffer
	_, err = s.BackupTo(t.Context(), "north", &archived, backup.BackupOptions{})
	require.NoError(t, err)
	bad := forge(t, archived.Bytes(), func(f *forged) { f.tables["tags"] = "note,tag\n99,a\n"; f.rows["tags"] = 1 })
	_, err = s.VerifyFrom(t.Context(), bytes.NewReader(bad), backup.RestoreOptions{})
	assert.ErrorIs(t, err, backup.ErrRows)
	_, err = s.VerifyFrom(t.Context(), bytes.NewReader(archived.Bytes()[:archived.Len()/2]), backup.RestoreOptions{})
	assert.ErrorIs(t, err, archive.ErrTruncated)
	after := f.everything(t)
	assert.Equal(t, before, after, "changed:\n%s\nbefore", after)
}

func TestASuspendedTenantIsRestoredSuspended(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.create(t, "north")
	_, err := f.tenants.Suspend(t.Context(), "north", "unpaid")
	require.NoError(t, err)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	f.drop(t, "north")
	got, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	assert.Equal(t, tenancy.Suspended, got.Tenant.Status, "restored %+v", got.Tenant)
	assert.Equal(t, "unpaid", got.Tenant.Reason, "restored %+v", got.Tenant)
}
