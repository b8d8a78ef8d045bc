package backup_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// made writes backups of tenant 1 with these times, the last of them first, with receipts.
func (f *fixture) made(t testing.TB, times ...string) {
	t.Helper()
	for _, text := range times {
		at, err := time.Parse("2006-01-02 15:04", text)
		require.NoError(t, err)
		name := f.own(t) + "1-north/" + at.Format("20060102T150405Z") + "-x.tar"
		f.put(t, name, "archive")
		f.put(t, name+".json", fmt.Sprintf(`{"name": %q, "registry": %q, "tenantID": 1, "takenAt": %q, "verified": "bytes"}`,
			name, strings.TrimSuffix(f.own(t), "/"), at.Format(time.RFC3339)))
	}
}

func (f *fixture) put(t testing.TB, name, text string) {
	t.Helper()
	u, err := f.dir.Create(t.Context(), name)
	require.NoError(t, err)
	_, err = u.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, u.Commit())
}

func TestRetentionKeepsBackupsByItsRules(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.made(
		t, "2026-03-05 10:00", "2026-03-05 02:00", "2026-03-04 02:00", "2026-03-03 02:00", "2026-03-01 02:00",
		// Thursday, ..., Sunday
		"2026-02-27 02:00", "2026-02-20 02:00", "2026-01-31 02:00", "2026-01-02 02:00", "2025-12-31 02:00",
	)
	s := f.service(t, backup.Config{})
	for _, step := range []struct {
		r    backup.Retention
		want string // the remaining backups
	}{
		{backup.Retention{}, "0305-10 0305-02 0304-02 0303-02 0301-02 0227-02 0220-02 0131-02 0102-02 1231-02"},
		{backup.Retention{Last: 20}, "0305-10 0305-02 0304-02 0303-02 0301-02 0227-02 0220-02 0131-02 0102-02 1231-02"},
		{
			backup.Retention{Last: 2, Daily: 3, Weekly: 3, Monthly: 4},
			"0305-10 0305-02 0304-02 0303-02 0301-02 0227-02 0220-02 0131-02 1231-02",
		},
		{backup.Retention{Daily: 2, Monthly: 3}, "0305-10 0304-02 0227-02 0131-02"},
		{backup.Retention{Weekly: 1, Monthly: 2}, "0305-10 0227-02"},
		{backup.Retention{Last: 1}, "0305-10"},
		{backup.Retention{Daily: 1}, "0305-10"},
	} {
		_, err := s.Prune(t.Context(), 1, step.r)
		require.NoError(t, err)
		var left []string
		for info, err := range s.Backups(t.Context(), 1) {
			require.NoError(t, err)
			left = append(left, info.TakenAt.Format("0102-15"))
		}
		want := strings.Fields(step.want)
		slices.Sort(left)
		slices.Sort(want)
		assert.Equal(t, want, left, step.r)
	}
	assert.Equal(t, 2, len(f.objects(t)), "files are left")
}

func TestTheOnlyBackupAndUnfinishedFilesAreKept(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.made(t, "2020-01-01 00:00")
	for _, name := range []string{
		"1-north/20260101T000000Z-old.tar", "1-north/20260101T000000Z-new.tar",
		"1-north/20260101T000000Z-x.dump", "12-x/20200101T000000Z-y.tar",
	} {
		f.put(t, f.own(t)+name, "?")
	}
	for _, o := range f.objects(t) {
		if !strings.Contains(o, "-new") {
			require.NoError(t, os.Chtimes(f.path+"/"+o, time.Time{}, time.Now().Add(-25*time.Hour)))
		}
	}
	pruned, err := f.service(t, backup.Config{}).Prune(t.Context(), 1, backup.Retention{Last: 1})
	require.NoError(t, err)
	assert.Equal(t, []string{f.own(t) + "1-north/20260101T000000Z-old.tar"}, pruned, "removed")
	want := []string{
		"1-north/20200101T000000Z-x.tar", "1-north/20200101T000000Z-x.tar.json",
		"1-north/20260101T000000Z-new.tar", "1-north/20260101T000000Z-x.dump", "12-x/20200101T000000Z-y.tar",
	}
	for i := range want {
		want[i] = f.own(t) + want[i]
	}
	assert.Equal(t, want, f.objects(t), "left")
}

func TestAnUnreadableReceiptStopsTheDeletion(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.made(t, "2026-01-02 00:00", "2026-01-01 00:00")
	f.put(t, f.own(t)+"1-north/20260103T000000Z-x.tar", "archive")
	f.put(t, f.own(t)+"1-north/20260103T000000Z-x.tar.json", "{")
	before := f.objects(t)
	s := f.service(t, backup.Config{})
	_, err := s.Prune(t.Context(), 1, backup.Retention{Last: 1})
	assert.Error(t, err, "no error")
	for _, id := range []int64{0, -1} {
		_, err := s.Prune(t.Context(), id, backup.Retention{Last: 1})
		assert.Error(t, err, "tenant %d was accepted", id)
	}
	assert.Equal(t, before, f.objects(t), "left")
}

func TestAScheduleKeepsTheNewestAndTheLastVerifiedBackup(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{Retention: backup.Retention{Last: 1}, VerifyEvery: ages})
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1})) // backup
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1})) // verification
	verifiedName := state(t, c, tenants[0].ID, backup.RunVerify).Name
	for range 3 {
		f.exec(t, "public", "update public.backup_runs set slot = slot - interval '1000000 hours' where kind = 'backup'")
		require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
	}
	newest := state(t, c, tenants[0].ID, backup.RunBackup).Name
	var names []string
	for info, err := range f.service(t, backup.Config{}).Backups(t.Context(), tenants[0].ID) {
		require.NoError(t, err)
		names = append(names, info.Name)
	}
	want := []string{verifiedName, newest}
	slices.Sort(want)
	slices.Sort(names)
	assert.NotEqual(t, newest, verifiedName, "left %q, want %q", names, want)
	assert.Equal(t, want, names, "left")
}

func TestUnfinishedFilesAreDeletedAfterADay(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.made(t, "2020-01-01 00:00")
	for _, name := range []string{"1-north/old.tar", "1-north/new.tar", "12-x/old.tar"} {
		u, err := f.dir.Create(t.Context(), f.own(t)+name)
		require.NoError(t, err)
		_, err = u.Write([]byte("half"))
		require.NoError(t, err)
	}
	for _, name := range f.files(t) {
		if strings.Contains(name, ".old.") {
			require.NoError(t, os.Chtimes(f.path+"/"+name, time.Time{}, time.Now().Add(-25*time.Hour)))
		}
	}
	pruned, err := f.service(t, backup.Config{}).Prune(t.Context(), 1, backup.Retention{})
	require.NoError(t, err)
	if assert.Len(t, pruned, 1, "removed") {
		assert.True(t, strings.HasPrefix(pruned[0], f.own(t)+"1-north/.old.tar."), "removed %q", pruned)
	}
	// the backup with its receipt, a file that may still be written, and a file of another tenant
	assert.Len(t, f.files(t), 4, "left")
}
