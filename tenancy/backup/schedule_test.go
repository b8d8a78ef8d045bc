package backup_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func TestEveryTenantIsBackedUpOnceInAPeriod(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 3)
	_, err := f.tenants.Suspend(t.Context(), "t2", "unpaid")
	check(t, err)
	var mu sync.Mutex
	ended := make(map[string]backup.ScheduledRun)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{Ended: func(_ context.Context, r backup.ScheduledRun) {
		mu.Lock()
		defer mu.Unlock()
		ended[r.Tenant.Slug] = r
	}})
	check(t, expectDone(t, c, backup.ScheduleReport{Due: 3, Done: 3}))
	check(t, expectDone(t, c, backup.ScheduleReport{}))
	check(t, expectDone(t, f.schedule(t, backup.Config{}, backup.ScheduleConfig{}), backup.ScheduleReport{})) // another process
	if want := map[string]int{"t1": 1, "t2": 1, "t3": 1}; !maps.Equal(f.count(t), want) {
		t.Errorf("got %v", f.count(t))
	}
	last, err := c.LastBackups(t.Context())
	check(t, err)
	for _, tenant := range tenants {
		r, s := ended[tenant.Slug], state(t, c, tenant.ID, backup.RunBackup)
		fresh, err := backup.Freshness{Store: f.dir}.LastBackup(t.Context(), &tenant)
		check(t, err)
		if r.Name == "" || s.Name != r.Name || !s.LeaseUntil.IsZero() || s.Failures != 0 ||
			!fresh.Equal(r.TakenAt) || last[tenant.Schema].Sub(fresh).Abs() > time.Millisecond {
			t.Errorf("run %+v, state %+v, fresh %v, last %v", r, s, fresh, last)
		}
	}
	f.again(t)
	check(t, expectDone(t, c, backup.ScheduleReport{Due: 3, Done: 3}))
}

func TestATenantThatFailsStopsNobodyAndIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 2)
	f.exec(t, tenants[0].Schema, "alter table notes add extra int")
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{})
	err := expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 1, Failed: 1})
	expectIs(t, err, backup.ErrDrift)
	s := state(t, c, tenants[0].ID, backup.RunBackup)
	if s.Failures != 1 || !strings.Contains(s.Failure, "extra") || !s.TakenAt.IsZero() || s.Name != "" || s.EndedAt.IsZero() {
		t.Errorf("state %+v", s)
	}
	if last, err := c.LastBackups(t.Context()); err != nil || len(last) != 1 || !last[tenants[0].Schema].IsZero() {
		t.Errorf("what failed is fresh: %v, %v", last, err)
	}
	check(t, expectDone(t, c, backup.ScheduleReport{})) // not yet
	f.exec(t, "public", "update public.backup_runs set ended_at = ended_at - interval '16 minutes'")
	expectIs(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Failed: 1}), backup.ErrDrift)
	f.exec(t, "public", "update public.backup_runs set ended_at = ended_at - interval '16 minutes'")
	check(t, expectDone(t, c, backup.ScheduleReport{})) // twice as long, now
	f.exec(t, "public", "update public.backup_runs set ended_at = ended_at - interval '15 minutes'")
	f.exec(t, tenants[0].Schema, "alter table notes drop extra")
	check(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
	if s = state(t, c, tenants[0].ID, backup.RunBackup); s.Failures != 0 || s.Failure != "" || s.Name == "" {
		t.Errorf("state %+v", s)
	}
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
		check(t, p.Wait())
	}
	if want := map[string]int{"t1": 1, "t2": 1, "t3": 1, "t4": 1, "t5": 1}; !maps.Equal(f.count(t), want) {
		t.Errorf("got %v", f.count(t))
	}
}

func TestAKilledScheduleGoesOnInAnother(t *testing.T) {
	t.Parallel()
	if os.Getenv(scheduleEnv) != "" {
		runSchedule(t)
		return
	}
	for _, when := range []backup.EventKind{backup.EventStarted, backup.EventTable, backup.EventWritten, backup.EventVerified} {
		t.Run(string(when), func(t *testing.T) {
			if os.Getenv(scheduleEnv) != "" {
				runSchedule(t)
				return
			}
			f, tenants := scheduled(t, 1)
			p := f.startSchedule(t, string(when))
			p.begin()
			var exit *exec.ExitError
			if err := p.Wait(); !errors.As(err, &exit) || exit.Exited() {
				t.Fatalf("not killed: %v", err)
			}
			c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{})
			if s := state(t, c, tenants[0].ID, backup.RunBackup); s.LeaseUntil.IsZero() || !s.TakenAt.IsZero() {
				t.Errorf("state %+v", s)
			}
			check(t, expectDone(t, c, backup.ScheduleReport{})) // it may live
			f.exec(t, "public", "update public.backup_runs set lease_until = clock_timestamp() - interval '1 second'")
			check(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
			want := 1
			if when == backup.EventVerified { // it had done everything but to say so
				want = 2
			}
			if n := f.count(t)["t1"]; n != want {
				t.Errorf("%d backups", n)
			}
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
	expectIs(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Failed: 1}), backup.ErrLeaseLost)
	if s := state(t, c, tenants[0].ID, backup.RunBackup); s.LeaseUntil.IsZero() || s.Failures != 0 {
		t.Errorf("the other's lease is touched: %+v", s)
	}
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
		check(t, expectDone(t, f.schedule(t, backup.Config{}, backup.ScheduleConfig{}), backup.ScheduleReport{}))
	}}, backup.ScheduleConfig{Lease: time.Second})
	check(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
}

func TestBackupsAreRestoredIntoScratchOnASchedule(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 2)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{VerifyEvery: ages})
	check(t, expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 2})) // backups
	broken := state(t, c, tenants[1].ID, backup.RunBackup).Name
	data := f.read(t, broken)
	check(t, os.WriteFile(f.path+"/"+broken, data[:len(data)-1500], 0o600))
	err := expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 1, Failed: 1}) // drills
	if err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("got %v", err)
	}
	good, bad := state(t, c, tenants[0].ID, backup.RunVerify), state(t, c, tenants[1].ID, backup.RunVerify)
	if good.Name == "" || good.VerifiedAt.IsZero() || bad.Name != "" || bad.Failures != 1 || bad.Failure == "" {
		t.Errorf("states %+v and %+v", good, bad)
	}
	check(t, expectDone(t, c, backup.ScheduleReport{}))
	var scratch int
	check(t, f.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_namespace where nspname like 'pgtenant\\_check%'").Scan(&scratch))
	if scratch != 0 {
		t.Errorf("%d scratch schemas are left", scratch)
	}
}

func TestAScheduleRunsUntilItIsEnded(t *testing.T) {
	t.Parallel()
	f, _ := scheduled(t, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan backup.ScheduledRun, 10)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{Tick: time.Millisecond, Ended: func(_ context.Context, r backup.ScheduledRun) { ended <- r }})
	failed := make(chan error)
	go func() { failed <- c.Run(ctx) }()
	check(t, (<-ended).Err)
	f.create(t, "later")
	if r := <-ended; r.Err != nil || r.Tenant.Slug != "later" {
		t.Errorf("got %+v", r)
	}
	why := errors.New("enough")
	cancel(why)
	expectIs(t, <-failed, why)
}

func TestACancelledRunIsDueAtOnce(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	c := f.schedule(t, backup.Config{Progress: func(context.Context, backup.Event) { cancel() }}, backup.ScheduleConfig{})
	_, err := c.RunDue(ctx)
	expectIs(t, err, context.Canceled)
	if s := state(t, c, tenants[0].ID, backup.RunBackup); s.Failures != 0 || !s.LeaseUntil.IsZero() {
		t.Errorf("state %+v", s)
	}
	f.expectEmpty(t)
	check(t, expectDone(t, f.schedule(t, backup.Config{}, backup.ScheduleConfig{}), backup.ScheduleReport{Due: 1, Done: 1}))
}

func TestATenantThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 2)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{})
	check(t, expectDone(t, c, backup.ScheduleReport{Due: 2, Done: 2}))
	f.drop(t, "t1")
	check(t, expectDone(t, c, backup.ScheduleReport{}))
	if states, err := c.States(t.Context()); err != nil || len(states) != 1 || states[0].TenantID != tenants[1].ID {
		t.Errorf("states %+v, %v", states, err)
	}
	if n := f.count(t)["t1"]; n != 1 {
		t.Errorf("%d backups of the tenant that is gone are left", n)
	}
}

func TestADropDemandsABackupThatIsThere(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	var err error
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{Migrator: f.runner, Roles: f.roles, Drop: tenancy.DropConfig{
		Enabled: true, Backups: backup.Freshness{Store: f.dir},
	}})
	check(t, err)
	attempt := func() error {
		r, err := f.tenants.RequestDrop(t.Context(), "t1", "ada")
		check(t, err)
		_, err = f.tenants.Drop(t.Context(), tenancy.DropParams{Slug: "t1", Actor: "ada", Token: r.Token})
		return err
	}
	var refused *tenancy.BackupError
	if err := attempt(); !errors.As(err, &refused) || !refused.Last.IsZero() {
		t.Errorf("without a backup: %v", err)
	}
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "t1", backup.BackupOptions{})
	check(t, err)
	check(t, os.Rename(f.path+"/"+info.Name, f.path+"/away"))
	if err := attempt(); !errors.As(err, &refused) || !refused.Last.IsZero() {
		t.Errorf("with a receipt alone: %v", err)
	}
	check(t, os.Rename(f.path+"/away", f.path+"/"+info.Name))
	check(t, attempt())
	_, err = f.tenants.ByID(t.Context(), tenants[0].ID)
	expectIs(t, err, tenancy.ErrNotFound)
}

func TestSchedulesThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	s := f.service(t, backup.Config{})
	for name, cfg := range map[string]backup.ScheduleConfig{
		"period": {Period: time.Millisecond}, "start": {Start: 24 * time.Hour}, "negative start": {Start: -1}, "window": {Window: 25 * time.Hour},
		"negative window": {Window: -1}, "workers": {Workers: -1}, "lease": {Lease: 1}, "retry": {Retry: -1}, "tick": {Tick: -1},
		"verify": {VerifyEvery: 1}, "retention": {Retention: backup.Retention{Daily: -1}},
	} {
		if _, err := backup.NewSchedule(s, cfg); err == nil {
			t.Errorf("%s: %+v was taken", name, cfg)
		}
	}
	c, err := backup.NewSchedule(s, backup.ScheduleConfig{})
	check(t, err)
	if _, err := c.RunDue(t.Context()); err == nil {
		t.Error("ran without its table")
	}
}

// To confirm a restore destroys the schema that was there before: a backup of what has replaced it
// does not help.
func TestAConfirmationDemandsABackupOfWhatItDestroys(t *testing.T) {
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

	// Of a schema that was taken back and replaced again, the backup must be from before that.
	restored, err = s.Restore(t.Context(), second.Name, backup.RestoreOptions{Replace: "t1"})
	require.NoError(t, err)
	_, err = s.RevertRestore(t.Context(), "t1", restored.Retained)
	require.NoError(t, err)
	aside, err := f.tenants.Aside(t.Context(), "t1")
	require.NoError(t, err)
	_, err = f.confirmed(t, s, "t1", aside.Schema)
	require.ErrorIs(t, err, tenancy.ErrNoFreshBackup, "of what was restored and never backed up")

	// The drop of the tenant destroys both.
	attempt := func(slug string) error {
		r, err := f.tenants.RequestDrop(t.Context(), slug, "ada")
		require.NoError(t, err)
		_, err = f.tenants.Drop(t.Context(), tenancy.DropParams{Slug: slug, Actor: "ada", Token: r.Token})
		return err
	}
	err = attempt("t1")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, aside.Schema, refused.Schema)
	_, err = s.RevertRestore(t.Context(), "t1", aside.Schema)
	require.NoError(t, err)
	err = attempt("t1")
	require.ErrorAs(t, err, &refused, "what was restored is in no backup")
	require.Empty(t, refused.Schema)
	backUp(t, s, "t1")
	require.NoError(t, attempt("t1"))

	// Its backups are no other tenant's that has the slug since.
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "t1", Domain: "t1.example.com"})
	require.NoError(t, err)
	err = attempt("t1")
	require.ErrorAs(t, err, &refused)
	require.True(t, refused.Last.IsZero())
}
