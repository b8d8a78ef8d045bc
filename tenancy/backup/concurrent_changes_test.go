package backup_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// onFirst calls f at the first event of a kind.
func onFirst(kind backup.EventKind, f func()) func(context.Context, backup.Event) {
	done := false
	return func(_ context.Context, e backup.Event) {
		if e.Kind == kind && !done {
			done = true
			f()
		}
	}
}

func TestATenantDroppedDuringABackupHasNoBackup(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.createLarge(t, "north")
	dropped := make(chan error, 1)
	s := f.service(t, backup.Config{Progress: onFirst(backup.EventStarted, func() {
		request, err := f.tenants.RequestDrop(t.Context(), "north", "admin")
		require.NoError(t, err)
		go func() { // it waits for the tables
			_, err := f.tenants.Drop(context.Background(), tenancy.DropParams{
				Slug: "north", Token: request.Token,
				Actor: "admin",
			})
			dropped <- err
		}()
		for { // until the status is dropping
			now, err := f.tenants.ByID(t.Context(), tenant.ID)
			if errors.Is(err, tenancy.ErrNotFound) || err == nil && now.Status == tenancy.Dropping {
				return
			}
			require.NoError(t, err)
		}
	})})
	_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	assert.ErrorIs(t, err, backup.ErrChanged)
	require.NoError(t, <-dropped)
	names := f.files(t)
	assert.Empty(t, names, "the directory has %q", names)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

func TestATenantSuspendedDuringABackupIsBackedUp(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.createLarge(t, "north")
	s := f.service(t, backup.Config{Progress: onFirst(backup.EventTable, func() {
		_, err := f.tenants.Suspend(t.Context(), "north", "has not paid")
		require.NoError(t, err)
	})})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	h, _, _ := f.stored(t, info.Name, archive.ReaderOptions{})
	assert.Equal(t, "active", h.Tenant.Status, "was %s when it began", h.Tenant.Status)
	info, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	h, _, _ = f.stored(t, info.Name, archive.ReaderOptions{})
	assert.Equal(t, "suspended", h.Tenant.Status, "header %+v", h.Tenant)
	assert.Equal(t, "has not paid", h.Tenant.Reason, "header %+v", h.Tenant)
}

func TestATenantRenamedDuringABackupHasNoBackup(t *testing.T) {
	t.Parallel()
	for _, kind := range []backup.EventKind{backup.EventStarted, backup.EventTable} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f := setup(t, notes)
			tenant := f.createLarge(t, "north")
			s := f.service(t, backup.Config{Progress: onFirst(kind, func() {
				_, err := f.tenants.Rename(t.Context(), "north", tenancy.RenameParams{Schema: "school_north"})
				require.NoError(t, err)
			})})
			_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
			assert.Error(t, err, "the backup succeeded")
			f.expectNothing(t, tenant)
		})
	}
}

// A table that is created, dropped or altered between the moments when it is found and locked does
// not disturb the backup.
func TestTablesMayBeCreatedAndDroppedDuringABackup(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.createLarge(t, "north")
	s := f.service(t, backup.Config{})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				for _, sql := range []string{"create table %s.passing (a int)", "drop table %s.passing"} {
					_, _ = f.owner.Exec(context.Background(), fmt.Sprintf(sql, tenant.Schema))
				}
			}
		}
	}()
	for range 10 {
		_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
		var drift *backup.DriftError // the table existed, and no migration creates it
		assert.True(t, err == nil || errors.As(err, &drift) || errors.Is(err, backup.ErrChanged), err)
	}
	close(stop)
	<-stopped
	_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
}

func TestATenantInTheWrongStatusIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	s := f.service(t, backup.Config{})
	_, err := s.Backup(t.Context(), "south", backup.BackupOptions{})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	for _, status := range []tenancy.Status{tenancy.Provisioning, tenancy.Stocked, tenancy.Dropping} {
		_, err := f.owner.Exec(t.Context(), "update public.tenants set status = $1 where id = $2", status, tenant.ID)
		require.NoError(t, err)
		_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
		var refused *tenancy.StatusError
		if assert.ErrorAs(t, err, &refused, status) && assert.Equal(t, status, refused.Status) {
			assert.ErrorIs(t, err, tenancy.ErrStatus)
		}
	}
	_, err = f.owner.Exec(t.Context(), `with active as (
			update public.tenants set status = 'active' where id = $1 returning id
		)
		insert into public.registry_operations (tenant_id, operation, step, arguments)
		select id, 'rename', 'schema', '{"schema": "other"}' from active`, tenant.ID)
	require.NoError(t, err)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	assert.ErrorIs(t, err, tenancy.ErrBusy)
	names := f.files(t)
	assert.Empty(t, names, "the directory has %q", names)
}

func TestABackupWaitsForAnAlteredTableUpToTheLockTimeout(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.createLarge(t, "north")
	s := f.service(t, backup.Config{LockTimeout: 50 * time.Millisecond})
	tx, err := f.pg.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "lock table "+tenant.Schema+".tags in access exclusive mode")
	require.NoError(t, err)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	var pgErr *pgconn.PgError
	if assert.ErrorAs(t, err, &pgErr) {
		assert.Equal(t, "55P03", pgErr.Code)
	}
	require.NoError(t, tx.Rollback(t.Context()))
	f.expectNothing(t, tenant)
}

// An erasure certifies that nothing is left. A file that is still being written during its last
// check must not appear afterwards.
func TestFilesWrittenDuringAnErasureAreDeleted(t *testing.T) {
	t.Parallel()
	for _, when := range []string{
		"before the commit", "before it is read", "before the receipt",
		"before the receipt is there", "before a dump is there",
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			f, _ := scheduled(t, 1)
			erase := func(now bool) error {
				if now {
					_, err := f.service(t, backup.Config{}).Erase(t.Context(), f.token(t, "t1"))
					require.NoError(t, err)
				}
				return nil
			}
			store := &faulty{
				Store: f.dir,
				create: func(name string) error {
					return erase(when == "before the receipt" && isReceipt(name))
				},
				commit: func(name string) error {
					return erase((when == "before the commit" || when == "before a dump is there") && !isReceipt(name) ||
						when == "before the receipt is there" && isReceipt(name))
				},
				open: func(name string) error { return erase(when == "before it is read") },
			}
			s := f.service(t, backup.Config{Store: store})
			var err error
			if when == "before a dump is there" {
				tool(t, "pg_dump")
				_, err = s.Dump(t.Context(), "t1", backup.DumpOptions{})
				if errors.Is(err, backup.ErrToolVersion) {
					t.Skip(err)
				}
			} else {
				_, err = s.Backup(t.Context(), "t1", backup.BackupOptions{})
			}
			assert.ErrorIs(t, err, backup.ErrChanged)
			f.expectEmpty(t)
		})
	}
}
