package backup_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func TestEveryTenantIsBackedUpOnceInAPeriod(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 3)
	_, err := f.tenants.Suspend(t.Context(), "t2", "unpaid")
	require.NoError(t, err)
	var mu sync.Mutex
	ended := make(map[string]backup.ScheduledRun)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{Ended: func(_ context.Context, r backup.ScheduledRun) {
		mu.Lock()
		defer mu.Unlock()
		ended[r.Tenant.Slug] = r
	}})
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 3, Done: 3}))
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{}))
	require.NoError(t, expectDone(t, f.schedule(t, backup.Config{}, backup.ScheduleConfig{}),
		backup.ScheduleReport{})) // as another process would
	want := map[string]int{"t1": 1, "t2": 1, "t3": 1}
	assert.Equal(t, want, f.count(t))
	last, err := c.LastBackups(t.Context())
	require.NoError(t, err)
	for _, tenant := range tenants {
		r, s := ended[tenant.Slug], state(t, c, tenant.ID, backup.RunBackup)
		fresh, err := backup.Freshness{Store: f.dir}.LastBackup(t.Context(), &tenant)
		require.NoError(t, err)
		if assert.NotEmpty(t, r.Name, "run %+v, state %+v, fresh %v, last %v", r, s, fresh, last) &&
			assert.Equal(t, r.Name, s.Name, "run %+v, state %+v, fresh %v, last %v", r, s, fresh, last) &&
			assert.True(t, s.LeaseUntil.IsZero(), "run %+v, state %+v, fresh %v, last %v", r, s, fresh, last) &&
			assert.Equal(t, 0, s.Failures, "run %+v, state %+v, fresh %v, last %v", r, s, fresh, last) &&
			assert.WithinDuration(t, r.TakenAt, fresh, 0, "run %+v, state %+v, fresh %v, last %v", r, s, fresh, last) {
			assert.LessOrEqual(t, last[tenant.Schema].Sub(fresh).Abs(), time.Millisecond,
				"run %+v, state %+v, fresh %v, last %v", r, s, fresh, last)
		}
	}
	f.again(t)
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 3, Done: 3}))
}

func TestAFailedTenantStopsNoOtherAndIsRetried(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 2)
	f.exec(t, tenants[0].Schema, "alter table notes add extra int")
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{})
	err := expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 1, Failed: 1})
	assert.ErrorIs(t, err, backup.ErrDrift)
	s := state(t, c, tenants[0].ID, backup.RunBackup)
	if assert.Equal(t, 1, s.Failures, "state %+v", s) &&
		assert.Contains(t, s.Failure, "extra", "state %+v", s) &&
		assert.True(t, s.TakenAt.IsZero(), "state %+v", s) &&
		assert.Empty(t, s.Name, "state %+v", s) {
		assert.False(t, s.EndedAt.IsZero(), "state %+v", s)
	}
	last, err := c.LastBackups(t.Context())
	if assert.NoError(t, err, "a failed run counts as a backup: %v", last) &&
		assert.Len(t, last, 1, "a failed run counts as a backup: %v", last) {
		assert.True(t, last[tenants[0].Schema].IsZero(), "a failed run counts as a backup: %v, %v", last, err)
	}
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{})) // not yet
	f.exec(t, "public", "update public.backup_runs set ended_at = ended_at - interval '16 minutes'")
	assert.ErrorIs(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Failed: 1}), backup.ErrDrift)
	f.exec(t, "public", "update public.backup_runs set ended_at = ended_at - interval '16 minutes'")
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{})) // the wait has doubled
	f.exec(t, "public", "update public.backup_runs set ended_at = ended_at - interval '15 minutes'")
	f.exec(t, tenants[0].Schema, "alter table notes drop extra")
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
	s = state(t, c, tenants[0].ID, backup.RunBackup)
	assert.Equal(t, 0, s.Failures, "state %+v", s)
	assert.Empty(t, s.Failure, "state %+v", s)
	assert.NotEmpty(t, s.Name, "state %+v", s)
}

func TestTwoProcessesNeverBackUpATenantTwice(t *testing.T) {
	t.Parallel()
	if os.Getenv(scheduleEnv) != "" {
		runSchedule(t)
		return
	}
	f, _ := scheduled(t, 5)
	processes := []*process{f.startSchedule(t, "never"), f.startSchedule(t, "never")}
	for _, p := range processes {
		p.begin()
	}
	for _, p := range processes {
		require.NoError(t, p.Wait())
	}
	want := map[string]int{"t1": 1, "t2": 1, "t3": 1, "t4": 1, "t5": 1}
	assert.Equal(t, want, f.count(t))
}

func TestAnotherProcessContinuesAKilledSchedule(t *testing.T) {
	t.Parallel()
	if os.Getenv(scheduleEnv) != "" {
		runSchedule(t)
		return
	}
	for _, when := range []backup.EventKind{
		backup.EventStarted, backup.EventTable, backup.EventWritten,
		backup.EventVerified,
	} {
		t.Run(string(when), func(t *testing.T) {
			if os.Getenv(scheduleEnv) != "" {
				runSchedule(t)
				return
			}
			f, tenants := scheduled(t, 1)
			p := f.startSchedule(t, string(when))
			p.begin()
			var exit *exec.ExitError
			err := p.Wait()
			require.ErrorAs(t, err, &exit, "not killed")
			require.False(t, exit.Exited(), "not killed: %v", err)
			c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{})
			s := state(t, c, tenants[0].ID, backup.RunBackup)
			assert.True(t, !s.LeaseUntil.IsZero() && s.TakenAt.IsZero(), "state %+v", s)
			require.NoError(t, expectDone(t, c, backup.ScheduleReport{})) // the process may be alive
			f.exec(t, "public", "update public.backup_runs set lease_until = clock_timestamp() - interval '1 second'")
			require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
			want := 1
			if when == backup.EventVerified { // only the end of its run was not recorded
				want = 2
			}
			assert.Equal(t, want, f.count(t)["t1"], "backups")
		})
	}
}

func TestARunWhoseLeaseIsLostStops(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	const other = "11111111-1111-1111-1111-111111111111"
	c := f.schedule(t, backup.Config{Progress: func(ctx context.Context, e backup.Event) {
		if e.Kind == backup.EventStarted {
			f.exec(t, "public", "update public.backup_runs set holder = '"+other+"'")
			<-ctx.Done()
		}
	}}, backup.ScheduleConfig{Lease: time.Second})
	assert.ErrorIs(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Failed: 1}), backup.ErrLeaseLost)
	s := state(t, c, tenants[0].ID, backup.RunBackup)
	assert.False(t, s.LeaseUntil.IsZero(), "the lease of the other process was changed: %+v", s)
	assert.Equal(t, 0, s.Failures, "the lease of the other process was changed: %+v", s)
	f.expectEmpty(t)
}

func TestALeaseIsRenewedWhileABackupTakesLong(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	var c *backup.Schedule
	c = f.schedule(t, backup.Config{Progress: func(_ context.Context, e backup.Event) {
		if e.Kind != backup.EventStarted {
			return
		}
		first := state(t, c, tenants[0].ID, backup.RunBackup).LeaseUntil
		eventually(t, "the lease to be renewed twice", func() bool {
			return state(t, c, tenants[0].ID, backup.RunBackup).LeaseUntil.After(first.Add(400 * time.Millisecond))
		})
		require.NoError(t, expectDone(t, f.schedule(t, backup.Config{}, backup.ScheduleConfig{}), backup.ScheduleReport{}))
	}}, backup.ScheduleConfig{Lease: time.Second})
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
}

func TestAScheduleVerifiesBackups(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 2)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{VerifyEvery: ages})
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 2})) // backups
	broken := state(t, c, tenants[1].ID, backup.RunBackup).Name
	data := f.read(t, broken)
	require.NoError(t, os.WriteFile(f.path+"/"+broken, data[:len(data)-1500], 0o600))
	err := expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 1, Failed: 1}) // verifications
	assert.ErrorContains(t, err, broken)
	good, bad := state(t, c, tenants[0].ID, backup.RunVerify), state(t, c, tenants[1].ID, backup.RunVerify)
	if assert.NotEmpty(t, good.Name, "states %+v and %+v", good, bad) &&
		assert.False(t, good.VerifiedAt.IsZero(), "states %+v and %+v", good, bad) &&
		assert.Empty(t, bad.Name, "states %+v and %+v", good, bad) &&
		assert.Equal(t, 1, bad.Failures, "states %+v and %+v", good, bad) {
		assert.NotEmpty(t, bad.Failure, "states %+v and %+v", good, bad)
	}
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{}))
	var scratch int
	require.NoError(t,
		f.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_namespace where nspname like 'pgtenant\\_check%'").Scan(
			&scratch))
	assert.Equal(t, 0, scratch, "%d scratch schemas are left", scratch)
}

func TestAScheduleRunsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	f, _ := scheduled(t, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan backup.ScheduledRun, 10)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{
		Tick:  time.Millisecond,
		Ended: func(_ context.Context, r backup.ScheduledRun) { ended <- r },
	})
	failed := make(chan error)
	go func() { failed <- c.Run(ctx) }()
	require.NoError(t, (<-ended).Err)
	f.create(t, "later")
	r := <-ended
	assert.NoError(t, r.Err, r)
	assert.Equal(t, "later", r.Tenant.Slug, r)
	why := errors.New("enough")
	cancel(why)
	assert.ErrorIs(t, <-failed, why)
}

func TestACancelledRunIsDueAtOnce(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	c := f.schedule(t, backup.Config{Progress: func(context.Context, backup.Event) { cancel() }}, backup.ScheduleConfig{})
	_, err := c.RunDue(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	s := state(t, c, tenants[0].ID, backup.RunBackup)
	if assert.Equal(t, 0, s.Failures, "state %+v", s) {
		assert.True(t, s.LeaseUntil.IsZero(), "state %+v", s)
	}
	f.expectEmpty(t)
	require.NoError(t,
		expectDone(t, f.schedule(t, backup.Config{}, backup.ScheduleConfig{}), backup.ScheduleReport{Due: 1, Done: 1}))
}

func TestTheRunsOfADroppedTenantAreDeleted(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 2)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{})
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 2}))
	f.drop(t, "t1")
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{}))
	states, err := c.States(t.Context())
	if assert.NoError(t, err, "states %+v", states) && assert.Len(t, states, 1) {
		assert.Equal(t, tenants[1].ID, states[0].TenantID)
	}
	assert.Equal(t, 1, f.count(t)["t1"], "backups of the erased tenant are left")
}

func TestADropRequiresAnExistingBackup(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	var err error
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{Migrator: f.runner, Roles: f.roles, Drop: tenancy.DropConfig{
		Enabled: true, Backups: backup.Freshness{Store: f.dir},
	}})
	require.NoError(t, err)
	attempt := func() error {
		r, err := f.tenants.RequestDrop(t.Context(), "t1", "ada")
		require.NoError(t, err)
		_, err = f.tenants.Drop(t.Context(), tenancy.DropParams{Slug: "t1", Actor: "ada", Token: r.Token})
		return err
	}
	var refused *tenancy.BackupError
	err = attempt()
	if assert.ErrorAs(t, err, &refused, "without a backup") {
		assert.True(t, refused.Last.IsZero(), "without a backup: %v", err)
	}
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "t1", backup.BackupOptions{})
	require.NoError(t, err)
	require.NoError(t, os.Rename(f.path+"/"+info.Name, f.path+"/away"))
	err = attempt()
	if assert.ErrorAs(t, err, &refused, "with a receipt alone") {
		assert.True(t, refused.Last.IsZero(), "with a receipt alone: %v", err)
	}
	require.NoError(t, os.Rename(f.path+"/away", f.path+"/"+info.Name))
	require.NoError(t, attempt())
	_, err = f.tenants.ByID(t.Context(), tenants[0].ID)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

func TestInvalidSchedulesAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	s := f.service(t, backup.Config{})
	for name, cfg := range map[string]backup.ScheduleConfig{
		"period": {Period: time.Millisecond}, "start": {Start: 24 * time.Hour}, "negative start": {Start: -1},
		"window":          {Window: 25 * time.Hour},
		"negative window": {Window: -1}, "workers": {Workers: -1}, "lease": {Lease: 1}, "retry": {Retry: -1},
		"tick":   {Tick: -1},
		"verify": {VerifyEvery: 1}, "retention": {Retention: backup.Retention{Daily: -1}},
	} {
		_, err := backup.NewSchedule(s, cfg)
		assert.Error(t, err, "%s: %+v was accepted", name, cfg)
	}
	c, err := backup.NewSchedule(s, backup.ScheduleConfig{})
	require.NoError(t, err)
	_, err = c.RunDue(t.Context())
	assert.Error(t, err, "the schedule ran without its table")
}

// The confirmation of a restore destroys the former schema. A backup of the schema that has
// replaced it does not count.
func TestAConfirmationRequiresABackupOfTheRetainedSchema(t *testing.T) {
	t.Parallel()
	f, _ := scheduled(t, 1)
	var err error
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{Migrator: f.runner, Roles: f.roles, Drop: tenancy.DropConfig{
		Enabled: true, Backups: backup.Freshness{Store: f.dir},
	}})
	require.NoError(t, err)
	s := f.service(t, backup.Config{})
	info := backUp(t, s, "t1")
	restored, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "t1"})
	require.NoError(t, err)
	require.NoError(t, os.Rename(f.path+"/"+info.Name, f.path+"/away"))
	second := backUp(t, s, "t1")
	_, err = f.confirmed(t, s, "t1", restored.Retained)
	var refused *tenancy.BackupError
	require.ErrorAs(t, err, &refused, "there is only a backup of the replacement")
	require.Equal(t, restored.Retained, refused.Schema)
	require.True(t, refused.Last.IsZero())
	require.NoError(t, os.Rename(f.path+"/away", f.path+"/"+info.Name))
	_, err = f.confirmed(t, s, "t1", restored.Retained)
	require.NoError(t, err)

	// For a schema that was taken back and replaced again, the backup must be older than that.
	restored, err = s.Restore(t.Context(), second.Name, backup.RestoreOptions{Replace: "t1"})
	require.NoError(t, err)
	_, err = s.RevertRestore(t.Context(), "t1", restored.Retained)
	require.NoError(t, err)
	retained, err := f.tenants.RetainedSchema(t.Context(), "t1")
	require.NoError(t, err)
	_, err = f.confirmed(t, s, "t1", retained.Schema)
	require.ErrorIs(t, err, tenancy.ErrNoFreshBackup, "of what was restored and never backed up")

	// The drop of the tenant destroys both schemas.
	attempt := func(slug string) error {
		r, err := f.tenants.RequestDrop(t.Context(), slug, "ada")
		require.NoError(t, err)
		_, err = f.tenants.Drop(t.Context(), tenancy.DropParams{Slug: slug, Actor: "ada", Token: r.Token})
		return err
	}
	err = attempt("t1")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, retained.Schema, refused.Schema)
	_, err = s.RevertRestore(t.Context(), "t1", retained.Schema)
	require.NoError(t, err)
	err = attempt("t1")
	require.ErrorAs(t, err, &refused, "the restored schema has no backup")
	require.Empty(t, refused.Schema)
	backUp(t, s, "t1")
	require.NoError(t, attempt("t1"))

	// The tenant's backups do not count for another tenant that later has the slug.
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "t1", Domain: "t1.example.com"})
	require.NoError(t, err)
	err = attempt("t1")
	require.ErrorAs(t, err, &refused)
	require.True(t, refused.Last.IsZero())
}
