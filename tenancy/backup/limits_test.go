package backup_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// Cron calls RunDue once a day: a backup is due each time, and a verification now and then.
func TestVerificationsRunIfABackupIsAlwaysDue(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{VerifyEvery: ages, Retention: backup.Retention{Last: 1}})
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1})) // the first backup
	aDay := func() {
		f.exec(t, "public", "update public.backup_runs set slot = slot - interval '1000000 hours' where kind = 'backup'")
	}
	aDay()
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 2}))
	made := state(t, c, tenants[0].ID, backup.RunBackup).Name
	assert.Equal(t, made, state(t, c, tenants[0].ID, backup.RunVerify).Name)
	aDay()
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))

	// If a tenant cannot be backed up, its last backup is verified nevertheless.
	last := state(t, c, tenants[0].ID, backup.RunBackup).Name
	f.exec(t, tenants[0].Schema, "alter table notes add extra int")
	f.again(t)
	assert.ErrorIs(t, expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 1, Failed: 1}), backup.ErrDrift)
	assert.Equal(t, last, state(t, c, tenants[0].ID, backup.RunVerify).Name)
}

func TestReplaceReportsDependentObjectsBeforeItStarts(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	began := false
	s := f.service(t, backup.Config{Progress: func(_ context.Context, e backup.Event) {
		began = began ||
			e.Kind == backup.EventBuilding
	}})
	info := backUp(t, s, "north")
	for sql, name := range map[string]string{
		"create view public.all_notes as select * from " + tenant.Schema + ".notes":               "all_notes",
		"create table public.pins (note bigint references " + tenant.Schema + ".notes (id))":      "pins",
		"create materialized view public.kept as select count(*) from " + tenant.Schema + ".tags": "kept",
	} {
		f.exec(t, "public", sql)
		_, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
		var dependents *admin.DependentsError
		require.ErrorAs(t, err, &dependents, name)
		assert.ErrorContains(t, err, name)
		kind := strings.TrimSuffix(strings.SplitN(sql, " public.", 2)[0], " ")
		f.exec(t, "public", "drop "+strings.TrimPrefix(kind, "create ")+" public."+name)
	}
	assert.False(t, began)
	_, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
}

func TestATransactionTimeoutEndsNoBackup(t *testing.T) {
	t.Parallel()
	if pgtest.Version(t) < 17 {
		t.Skip("PostgreSQL before 17 has no transaction_timeout")
	}
	f := setup(t, notes)
	f.createLarge(t, "north")
	cfg := f.owner.Config()
	cfg.ConnConfig.RuntimeParams["transaction_timeout"] = "2s"
	impatient, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer impatient.Close()
	wait := func(ctx context.Context, e backup.Event) {
		if e.Kind == backup.EventStarted {
			_, err := f.owner.Exec(ctx, "select pg_sleep(2.2)")
			assert.NoError(t, err)
		}
	}
	s, err := backup.New(backup.Config{
		Pool: impatient, Tenants: f.tenants, Migrations: f.runner, Store: f.dir, Progress: wait,
	})
	require.NoError(t, err)
	backUp(t, s, "north")
}

func TestLargeObjectsAreRefusedByName(t *testing.T) {
	t.Parallel()
	f := setup(t, migrate.Source{Name: "test", FS: fstest.MapFS{
		"00001_scans.sql": {Data: []byte("-- +goose Up\ncreate table scans (id int primary key, scan oid);\n")},
	}})
	f.create(t, "north")
	_, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	var unsupported *backup.UnsupportedError
	require.ErrorAs(t, err, &unsupported)
	assert.Equal(t, "column scans.scan", unsupported.Objects[0].Object)
	assert.Contains(t, unsupported.Objects[0].Reason, "large objects")
}

// Retention frees a disk that is full of backups, even if it keeps as many as there are.
func TestRetentionFreesAFullDisk(t *testing.T) {
	t.Parallel()
	f, _ := scheduled(t, 1)
	const room = 3 // number of archives with their receipts
	var ended []backup.ScheduledRun
	store := &faulty{Store: f.dir, write: func(int64) error {
		if len(f.objects(t)) >= 2*room {
			return fmt.Errorf("write: %w", syscall.ENOSPC)
		}
		return nil
	}}
	for _, keep := range []int{1, 2, room} {
		c := f.schedule(t, backup.Config{Store: store}, backup.ScheduleConfig{
			Retention: backup.Retention{Last: keep}, Workers: 1,
			Ended: func(_ context.Context, r backup.ScheduledRun) { ended = append(ended, r) },
		})
		for f.count(t)["t1"] < room {
			backUp(t, f.service(t, backup.Config{}), "t1")
		}
		f.again(t)
		require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
		assert.Equal(t, keep, f.count(t)["t1"])
		assert.Contains(t, f.objects(t), state(t, c, 1, backup.RunBackup).Name)
		assert.Len(t, ended[len(ended)-1].Pruned, room+1-keep)
	}

	// The newest backup stays in every case.
	full := &faulty{Store: f.dir, write: func(int64) error { return syscall.ENOSPC }}
	c := f.schedule(t, backup.Config{Store: full}, backup.ScheduleConfig{Retention: backup.Retention{Last: 1}})
	newest := state(t, c, 1, backup.RunBackup).Name // the last backup in the table of runs that still exists
	f.again(t)
	assert.ErrorIs(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Failed: 1}), syscall.ENOSPC)
	assert.Equal(t, 1, f.count(t)["t1"])
	assert.Contains(t, f.objects(t), newest)

	// Prune works by hand, too, because it writes nothing.
	for f.count(t)["t1"] < room {
		backUp(t, f.service(t, backup.Config{}), "t1")
	}
	pruned, err := f.service(t, backup.Config{Store: full}).Prune(t.Context(), 1, backup.Retention{Last: 1})
	require.NoError(t, err)
	assert.Len(t, pruned, room-1)
}
