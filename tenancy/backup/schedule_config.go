package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// ScheduleConfig says when tenants are backed up. The zero value does it once a day, spread over the whole day.
type ScheduleConfig struct {
	// Period is how often each tenant is backed up, at least a second. Periods are counted from midnight UTC of 1970-01-01, a Thursday.
	// Default: 24 h.
	Period time.Duration

	// Start is when in the period the window begins: 2 h is 02:00 UTC where Period is a day. Default: 0.
	Start time.Duration

	// Window is what backups are spread over. Each tenant has its moment in it, by its id, the same in every period. One that was
	// missed is made up for as soon as the schedule runs, in the window or not: a backup that lacks is worse than load. Default: Period.
	Window time.Duration

	// Workers is how many tenants this process works on at a time; each takes a connection of the pool. Default: 2.
	Workers int

	// Lease is how long a tenant is left to a process that has died or is cut off from the registry. Default: 2 minutes.
	Lease time.Duration

	// Retry is how long a tenant whose backup failed waits for the next attempt; it doubles with each failure up to Period. Default: 15 minutes.
	Retry time.Duration

	// Options are those of each backup.
	Options BackupOptions

	// Retention is what is kept of a tenant after it was backed up. The zero value keeps everything.
	Retention Retention

	// VerifyEvery is how often the last backup of each tenant is restored into scratch
	// ([Service.Verify]), spread as Window is. If a backup is due at the same time, as it always is
	// where cron calls [Schedule.RunDue] once a day, the backup is made first, and is the one that
	// is restored. Default: never.
	VerifyEvery time.Duration

	// VerifyOptions are those of each such restore.
	VerifyOptions RestoreOptions

	// Tick is how often [Schedule.Run] looks for what is due. Default: 1 minute.
	Tick time.Duration

	// Ended is told of each run that has ended, from the goroutine that did it. It must be safe for concurrent use. Default: nobody is.
	Ended func(ctx context.Context, r ScheduledRun)
}

// RunKind is what a scheduled run does.
type RunKind string

// The kinds of a [ScheduledRun].
const (
	RunBackup RunKind = "backup" // backs a tenant up and removes what retention does not keep
	RunVerify RunKind = "verify" // restores a tenant's last backup into scratch
)

// ScheduledRun is one run that has ended.
type ScheduledRun struct {
	Kind     RunKind
	Tenant   tenancy.Tenant
	Name     string    // of the archive; empty where there is none
	TakenAt  time.Time // of the archive
	Pruned   []string  // archives that retention has removed
	Warnings []string  // times in the future, of a slot, a lease or an archive: a clock is or was wrong
	Duration time.Duration
	Err      error // nil: it was good. Where Name is set nevertheless the backup is good, and what came after it was not.
}

func (c ScheduleConfig) withDefaults(s *Service) (ScheduleConfig, error) {
	c.Period = cmp.Or(c.Period, 24*time.Hour)
	c.Window = cmp.Or(c.Window, c.Period)
	c.Workers = cmp.Or(c.Workers, 2)
	c.Lease = cmp.Or(c.Lease, 2*time.Minute)
	c.Retry = cmp.Or(c.Retry, 15*time.Minute)
	c.Tick = cmp.Or(c.Tick, time.Minute)
	switch {
	case s.cfg.Store == nil:
		return c, errNoStore
	case c.Period < time.Second:
		return c, fmt.Errorf("backup: ScheduleConfig.Period %v is less than 1s", c.Period)
	case c.Start < 0 || c.Start >= c.Period:
		return c, fmt.Errorf("backup: ScheduleConfig.Start %v is not in a period of %v", c.Start, c.Period)
	case c.Window < 0 || c.Window > c.Period:
		return c, fmt.Errorf("backup: ScheduleConfig.Window %v is not in a period of %v", c.Window, c.Period)
	case c.Workers < 0:
		return c, fmt.Errorf("backup: ScheduleConfig.Workers %d is negative", c.Workers)
	case c.Lease < time.Second:
		return c, fmt.Errorf("backup: ScheduleConfig.Lease %v is less than 1s", c.Lease)
	case c.Retry < 0 || c.Tick < 0:
		return c, errors.New("backup: ScheduleConfig.Retry or Tick is negative")
	case c.VerifyEvery != 0 && c.VerifyEvery < time.Second:
		return c, fmt.Errorf("backup: ScheduleConfig.VerifyEvery %v is less than 1s", c.VerifyEvery)
	}
	if c.Ended == nil {
		c.Ended = func(context.Context, ScheduledRun) {}
	}
	return c, c.Retention.check()
}

func (r ScheduledRun) log(ctx context.Context, logger *slog.Logger) {
	for _, w := range r.Warnings {
		logger.WarnContext(ctx, "backup: a clock is wrong, or was", slog.String("tenant", r.Tenant.Slug), slog.String("reason", w))
	}
	attrs := []any{
		slog.String("kind", string(r.Kind)), slog.String("tenant", r.Tenant.Slug), slog.String("name", r.Name),
		slog.Int("pruned", len(r.Pruned)), slog.Duration("duration", r.Duration),
	}
	if r.Err != nil {
		logger.WarnContext(ctx, "scheduled run failed", append(attrs, slog.Any("error", r.Err))...)
		return
	}
	logger.InfoContext(ctx, "scheduled run done", attrs...)
}
