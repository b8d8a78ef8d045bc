package backup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

const year = 365 * 24 * time.Hour

// future makes a backup of tenant 1 with a time that is a year ahead, and returns its name.
func (f *fixture) future(t testing.TB) string {
	t.Helper()
	at := time.Now().Add(year)
	f.made(t, at.Format("2006-01-02 15:04"))
	return f.own(t) + "1-north/" + at.Truncate(time.Minute).UTC().Format("20060102T150405Z") + "-x.tar"
}

func TestABackupWithAFutureTimeIsIgnoredAndKept(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	ahead := f.future(t)
	var log bytes.Buffer
	var ended []backup.ScheduledRun
	c := f.schedule(t, backup.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, backup.ScheduleConfig{
		Retention: backup.Retention{Last: 1}, Workers: 1,
		Ended: func(_ context.Context, r backup.ScheduledRun) { ended = append(ended, r) },
	})
	last, err := c.LastBackups(t.Context())
	require.NoError(t, err)
	assert.Empty(t, last)
	for range 2 {
		require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
		f.again(t)
	}
	own := state(t, c, 1, backup.RunBackup).Name
	assert.ElementsMatch(t, []string{ahead, ahead + ".json", own, own + ".json"}, f.objects(t))
	require.Len(t, ended, 2)
	require.Len(t, ended[1].Warnings, 1)
	assert.Contains(t, ended[1].Warnings[0], "has a time in the future")
	assert.Contains(t, log.String(), "a clock is wrong, or was")

	pruned, err := f.service(t, backup.Config{}).Prune(t.Context(), 1, backup.Retention{Last: 1})
	require.NoError(t, err)
	assert.Empty(t, pruned)
	at, err := backup.Freshness{Store: f.dir}.LastBackup(t.Context(), &tenants[0])
	require.NoError(t, err)
	assert.Less(t, time.Since(at).Abs(), time.Hour)
	last, err = c.LastBackups(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]time.Time{tenants[0].Schema: at}, last)

	// If there is no other backup, the error of the drop names the reason.
	require.NoError(t, f.dir.Delete(t.Context(), own))
	guarded, err := tenancy.New(f.owner, tenancy.Config{Migrator: f.runner, Roles: f.roles, Drop: tenancy.DropConfig{
		Enabled: true, Backups: backup.Freshness{Store: f.dir},
	}})
	require.NoError(t, err)
	r, err := guarded.RequestDrop(t.Context(), "t1", "ada")
	require.NoError(t, err)
	_, err = guarded.Drop(t.Context(), tenancy.DropParams{Slug: "t1", Actor: "ada", Token: r.Token})
	require.ErrorIs(t, err, tenancy.ErrNoFreshBackup)
	assert.ErrorContains(t, err, "in the future")
}

// The time in a receipt may be wrong although the time in the backup's name is right.
func TestAReceiptWithAFutureTimeHidesNoBackup(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	s := f.service(t, backup.Config{})
	first, second := backUp(t, s, "t1"), backUp(t, s, "t1")
	lying := second
	lying.TakenAt = lying.TakenAt.Add(year)
	text, err := json.Marshal(lying)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(f.path+"/"+second.Name+".json", text, 0o600))
	at, err := backup.Freshness{Store: f.dir}.LastBackup(t.Context(), &tenants[0])
	require.NoError(t, err)
	assert.True(t, at.Equal(first.TakenAt))
	pruned, err := s.Prune(t.Context(), 1, backup.Retention{Last: 1})
	require.NoError(t, err)
	assert.Empty(t, pruned)
}

func TestFutureTimesOfRunsAreIgnored(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"slot": "slot = now() + interval '1 year'",
		"lease": "slot = slot - interval '1000000 hours', holder = gen_random_uuid(), " +
			"lease_until = now() + interval '1 year'",
		"end": "slot = slot - interval '1000000 hours', ended_at = now() + interval '1 year', failures = 3",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := scheduled(t, 1)
			var warnings []string
			c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{
				Workers: 1, Ended: func(_ context.Context, r backup.ScheduledRun) { warnings = append(warnings, r.Warnings...) },
			})
			require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
			require.NoError(t, expectDone(t, c, backup.ScheduleReport{}))
			require.Empty(t, warnings)
			f.exec(t, "public", "update public.backup_runs set "+sql)
			require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
			require.NoError(t, expectDone(t, c, backup.ScheduleReport{}))
			require.Len(t, warnings, 1)
			assert.Contains(t, warnings[0], "the "+name+" of the last run is in the future")
			s := state(t, c, 1, backup.RunBackup)
			assert.True(t, s.Slot.Before(time.Now()) && s.LeaseUntil.IsZero() && s.Failures == 0, "%+v", s)
		})
	}
}

// Processes with different clocks use the server's clock: each tenant is backed up once, and
// nothing is removed because of its age.
func TestAProcessWithAWrongClockDeletesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": year, "behind": -year} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, tenants := scheduled(t, 1)
			var log bytes.Buffer
			wrong := f.service(t, backup.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			backup.SetClock(wrong, func() time.Time { return time.Now().Add(off) })
			c, err := backup.NewSchedule(wrong, backup.ScheduleConfig{Period: ages, Retention: backup.Retention{Last: 1}})
			require.NoError(t, err)
			old := backUp(t, wrong, "t1")
			f.put(t, f.own(t)+"1-t1/being-made.tar", "half")
			unfinished, err := f.dir.Create(t.Context(), f.own(t)+"1-t1/half.tar")
			require.NoError(t, err)
			require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
			require.NoError(t, expectDone(t, c, backup.ScheduleReport{}))
			require.NoError(t, expectDone(t, f.schedule(t, backup.Config{}, backup.ScheduleConfig{}), backup.ScheduleReport{}))
			assert.Contains(t, f.objects(t), f.own(t)+"1-t1/being-made.tar")
			assert.Contains(t, f.objects(t), state(t, c, 1, backup.RunBackup).Name)
			if off < 0 {
				assert.Contains(t, f.objects(t), old.Name)
			}
			require.NoError(t, unfinished.Commit())
			assert.Contains(t, log.String(), "no file is deleted by age")

			p := f.token(t, tenants[0].Slug)
			p.KeepArchives = 24 * time.Hour
			certificate, err := wrong.Erase(t.Context(), p)
			require.NoError(t, err)
			assert.GreaterOrEqual(t, time.Until(certificate.ArchivesUntil), 23*time.Hour)
			before := f.objects(t)
			f.exec(t, "public", "update public.backup_erasures set archives_until = now() - interval '1 hour'")
			removed, err := wrong.PruneErased(t.Context())
			require.NoError(t, err)
			assert.Empty(t, removed)
			assert.Equal(t, before, f.objects(t))
			removed, err = f.service(t, backup.Config{}).PruneErased(t.Context())
			require.NoError(t, err)
			assert.NotEmpty(t, removed)
		})
	}
}

// Two facts are only in the store, and not in the table of runs: that an archive was deleted, and
// that one was made by hand.
func TestLastBackupsAreThoseOfTheStore(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{})
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
	s := state(t, c, 1, backup.RunBackup)
	last, err := c.LastBackups(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]time.Time{tenants[0].Schema: s.TakenAt}, last)
	require.NoError(t, f.dir.Delete(t.Context(), s.Name))
	last, err = c.LastBackups(t.Context())
	require.NoError(t, err)
	assert.Empty(t, last)
	info := backUp(t, f.service(t, backup.Config{}), "t1")
	last, err = c.LastBackups(t.Context())
	require.NoError(t, err)
	assert.Equal(t, info.TakenAt.Truncate(time.Second), last[tenants[0].Schema])
	assert.False(t, strings.Contains(info.Name, s.Name))
}

// The server's clock was set back since the earlier backup, by less than the tolerance for times in
// the future.
func TestARunNeverDeletesItsOwnBackup(t *testing.T) {
	t.Parallel()
	f, _ := scheduled(t, 1)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{Retention: backup.Retention{Last: 1}})
	later := backUp(t, f.service(t, backup.Config{}), "t1")
	later.TakenAt = later.TakenAt.Add(50 * time.Second)
	text, err := json.Marshal(later)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(f.path+"/"+later.Name+".json", text, 0o600))
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
	assert.Contains(t, f.objects(t), state(t, c, 1, backup.RunBackup).Name)
}
