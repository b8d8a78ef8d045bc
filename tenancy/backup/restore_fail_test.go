package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// failingReader fails after so many bytes.
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

// What can go wrong while a restore runs leaves everything as it was, and the restore can be run again.
func TestARestoreThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	f := setup(t, pupils)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, fmt.Sprintf(fillPupils, 3000))
	var archived bytes.Buffer
	_, err := f.service(t, backup.Config{}).BackupTo(t.Context(), "north", &archived, backup.BackupOptions{})
	check(t, err)
	want, before := f.content(t, "north"), f.everything(t)
	storage, over := errors.New("storage away"), errors.New("over")

	run := func(ctx context.Context, src io.Reader, progress func(ctx context.Context, e backup.Event)) error {
		_, err := f.service(t, backup.Config{Progress: progress}).RestoreFrom(ctx, src, backup.RestoreOptions{Replace: "north"})
		return err
	}
	for _, part := range []int{0, 1000, archived.Len() / 3, archived.Len() / 2, archived.Len() - 700} {
		err := run(t.Context(), &failingReader{bytes.NewReader(archived.Bytes()), part, storage}, nil)
		expectIs(t, err, storage)
	}
	for _, kind := range []backup.EventKind{backup.EventBuilding, backup.EventLoaded, backup.EventChecking, backup.EventSwitching} {
		ctx, cancel := context.WithCancelCause(t.Context())
		err := run(ctx, bytes.NewReader(archived.Bytes()), func(_ context.Context, e backup.Event) {
			if e.Kind == kind {
				cancel(over)
			}
		})
		cancel(nil)
		if !errors.Is(err, context.Canceled) && !errors.Is(err, over) {
			t.Errorf("cancelled at %s: %v", kind, err)
		}
	}
	for _, kind := range []backup.EventKind{backup.EventLoaded, backup.EventChecking} {
		killed := false
		err := run(t.Context(), bytes.NewReader(archived.Bytes()), func(_ context.Context, e backup.Event) {
			if e.Kind == kind && !killed {
				killed = true
				_, err := f.pg.Pool.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", f.roles.Owner())
				check(t, err)
			}
		})
		if err == nil {
			t.Errorf("connections were killed at %s, and nobody noticed", kind)
		}
		f.owner.Reset()
		f.settle(t, "north")
	}
	f.expectContent(t, "north", want)
	if after := f.everything(t); after != before {
		t.Errorf("changed:\n%s\nbefore:\n%s", after, before)
	}
	check(t, run(t.Context(), bytes.NewReader(archived.Bytes()), nil))
	f.expectContent(t, "north", want)
}

func TestARestoreIsRefusedWhereItMakesNoSense(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	before := f.everything(t)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	expectIs(t, err, tenancy.ErrSlugTaken)
	assert.ErrorContains(t, err, "set Replace to restore over that tenant")
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Slug: "south"})
	expectIs(t, err, tenancy.ErrDomainTaken)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "nobody"})
	expectIs(t, err, tenancy.ErrNotFound)
	var field *tenancy.FieldError
	if _, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Slug: "south"}); !errors.As(err, &field) {
		t.Errorf("got %v", err)
	}
	_, err = s.Restore(t.Context(), "1-north/none.tar", backup.RestoreOptions{})
	expectIs(t, err, backup.ErrNotFound)
	if after := f.everything(t); after != before {
		t.Errorf("changed:\n%s\nbefore:\n%s", after, before)
	}
}

func TestAnArchiveOfAnotherTenantTakesAWord(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	f.create(t, "south")
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "south"})
	var other *backup.OtherTenantError
	if !errors.As(err, &other) || other.Tenant.Slug != "north" || other.Slug != "south" {
		t.Errorf("got %v", err)
	}
	got, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "south", AnyTenant: true})
	check(t, err)
	if got.Tenant.Slug != "south" {
		t.Errorf("restored %+v", got)
	}
	f.expectContent(t, "south", f.content(t, "north"))
}

func TestDriftedDataIsRestoredAsFarAsItFits(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes+"; alter table notes drop column body; drop table tags")
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	check(t, err)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	expectIs(t, err, backup.ErrMismatch)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Drift: backup.DriftRecord})
	check(t, err)
	content := f.content(t, "north")
	if content["notes"] != "id,body\n1,\n2,\n3,\n4,\n5,\n6,\n7,\n8,\n" || content["tags"] != "note,tag\n" {
		t.Errorf("restored %q", content)
	}
	f.exec(t, f.schema(t, "north"), "alter table notes add column extra text default 'x'")
	info, err = s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	check(t, err)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Slug: "new", Domain: "new.example.com", Drift: backup.DriftRecord})
	expectIs(t, err, backup.ErrMismatch) // what is in excess would be lost
}

func (f *fixture) schema(t *testing.T, slug string) string {
	t.Helper()
	tenant, err := f.tenants.BySlug(t.Context(), slug)
	check(t, err)
	return tenant.Schema
}

// strictly is the fixture's runner, which refuses what was edited.
func (f *fixture) strictly(t *testing.T, source migrate.Source) {
	t.Helper()
	var err error
	f.runner, err = migrate.New(f.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}, Tenant: []migrate.Source{source}, Changed: migrate.Refuse,
	})
	check(t, err)
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{Migrator: f.runner, Roles: f.roles})
	check(t, err)
}

func TestEditedMigrationsAreRestoredAsTheRunnersPolicySays(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	before := f.content(t, "north")
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	spaced := migrate.Source{Name: "test", FS: edited(t, notes, "00001_notes.sql", "create table notes", "create  table notes")}

	f.migrations(t, spaced) // by default Status tells, and nothing is refused anywhere
	status, err := f.runner.Status(t.Context(), tenant.Schema)
	check(t, err)
	if status.Outcome != migrate.Current || len(status.Versions(migrate.Changed)) != 1 {
		t.Errorf("status %+v", status)
	}
	s := f.service(t, backup.Config{})
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	check(t, err)
	second, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	_, err = s.Verify(t.Context(), second.Name, backup.RestoreOptions{})
	check(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "copy", Domain: "copy.example.com"})
	check(t, err)
	f.expectContent(t, "copy", before)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Edited: backup.EditedRefuse})
	expectEdited(t, err)

	f.strictly(t, spaced) // one word for all
	status, err = f.runner.Status(t.Context(), tenant.Schema)
	check(t, err)
	expectIs(t, status.Err, migrate.ErrChanged)
	s = f.service(t, backup.Config{})
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	expectEdited(t, err)
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	expectEdited(t, err)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	expectEdited(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "other", Domain: "other.example.com"})
	expectEdited(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "other", Domain: "other.example.com", Edited: backup.EditedAllow})
	check(t, err)
	f.expectContent(t, "other", before)
	recorded, err := s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	check(t, err)
	if len(recorded.Differences) != 1 {
		t.Errorf("recorded %q", recorded.Differences)
	}
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Edited: backup.EditedAllow})
	check(t, err)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{}) // what was restored is of the files as they are
	check(t, err)
	f.expectContent(t, "north", before)
}

func expectEdited(t *testing.T, err error) {
	t.Helper()
	expectIs(t, err, migrate.ErrChanged)
	var versions *backup.VersionsError
	if !errors.As(err, &versions) || len(versions.Edited) != 1 || versions.Edited[0].Version != 1 || len(versions.Unknown) != 0 {
		t.Errorf("got %v", err)
	}
}

func TestAnEditThatChangesATableIsNoRestore(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	f.migrations(t, migrate.Source{Name: "test", FS: edited(t, notes, "00001_notes.sql", "body text", "content text")})
	s := f.service(t, backup.Config{})
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	expectIs(t, err, backup.ErrMismatch)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	expectIs(t, err, backup.ErrDrift)
}

func TestABackupIsVerifiedInScratch(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	before := f.everything(t)
	for range 2 {
		drill, err := s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
		check(t, err)
		if drill.Rows != info.Rows || drill.Tables != 2 || drill.Tenant.ID != tenant.ID || !drill.TakenAt.Equal(info.TakenAt) {
			t.Errorf("verified %+v", drill)
		}
	}
	var archived bytes.Buffer
	_, err = s.BackupTo(t.Context(), "north", &archived, backup.BackupOptions{})
	check(t, err)
	bad := forge(t, archived.Bytes(), func(f *forged) { f.tables["tags"] = "note,tag\n99,a\n"; f.rows["tags"] = 1 })
	_, err = s.VerifyFrom(t.Context(), bytes.NewReader(bad), backup.RestoreOptions{})
	expectIs(t, err, backup.ErrRows)
	_, err = s.VerifyFrom(t.Context(), bytes.NewReader(archived.Bytes()[:archived.Len()/2]), backup.RestoreOptions{})
	expectIs(t, err, archive.ErrTruncated)
	if after := f.everything(t); after != before {
		t.Errorf("changed:\n%s\nbefore:\n%s", after, before)
	}
}

func TestASuspendedTenantComesBackSuspended(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.create(t, "north")
	_, err := f.tenants.Suspend(t.Context(), "north", "unpaid")
	check(t, err)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	f.drop(t, "north")
	got, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	check(t, err)
	if got.Tenant.Status != tenancy.Suspended || got.Tenant.Reason != "unpaid" {
		t.Errorf("restored %+v", got.Tenant)
	}
}
