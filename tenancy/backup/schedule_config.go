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

// ScheduleConfig configures a [Schedule]. The zero value backs up each tenant once a day, spread
// over the whole day.
type ScheduleConfig struct {
	// Period is the interval between two backups of a tenant, at least a second. Periods are counted
	// from midnight UTC of 1970-01-01, a Thursday. Default: 24 h.
	Period time.Duration

	// Start is the offset of the window from the beginning of a period: with a Period of a day, 2 h
	// means 02:00 UTC. Default: 0.
	Start time.Duration

	// Window is the time over which backups are spread. The id of a tenant determines its slot in the
	// window, which is the same in every period. A missed backup is made as soon as the schedule runs,
	// also outside of the window, because a missing backup is worse than load. Default: Period.
	Window time.Duration

	// Workers is the number of tenants that this process works on concurrently. Each takes a
	// connection of the pool. Default: 2.
	Workers int

	// Lease is the time after which another process may take over the tenant of a process that died or
	// lost its connection to the registry. Default: 2 minutes; the minimum is 1 s.
	Lease time.Duration

	// Retry is the time until the next attempt after a failed backup. It doubles with each failure up
	// to Period. Default: 15 minutes.
	Retry time.Duration

	// Options are the options of each backup.
	Options BackupOptions

	// Retention says which backups of a tenant are kept after a backup. The zero value keeps all.
	Retention Retention

	// VerifyEvery is the interval at which the last backup of each tenant is restored into a scratch
	// schema ([Service.Verify]), spread as with Window. If a backup is due at the same time, the
	// backup is made first, and is the one that is verified. That is always the case if cron calls
	// [Schedule.RunDue] once a day. Default: 0, never; otherwise at least 1 s.
	VerifyEvery time.Duration

	// VerifyOptions are the options of each verification.
	VerifyOptions RestoreOptions

	// Tick is the interval at which [Schedule.Run] checks what is due. Default: 1 minute.
	Tick time.Duration

	// Ended is called after each run, from the goroutine of the run. It must be safe for concurrent
	// use. Default: nil, no call.
	Ended func(ctx context.Context, r ScheduledRun)
}

// RunKind is the kind of a scheduled run.
type RunKind string

// The kinds of a [ScheduledRun].
const (
	RunBackup RunKind = "backup" // backs up a tenant and deletes what retention does not keep
	RunVerify RunKind = "verify" // restores a tenant's last backup into a scratch schema
)

// ScheduledRun is the result of a run.
type ScheduledRun struct {
	Kind     RunKind
	Tenant   tenancy.Tenant
	Name     string    // of the archive; empty without one
	TakenAt  time.Time // of the archive
	Pruned   []string  // archives that retention deleted
	Warnings []string  // times of slots, leases or archives that are in the future: a clock is or was wrong
	Duration time.Duration
	Err      error // nil: success; if Name is set nevertheless, the backup succeeded and a later step failed
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
		return c, fmt.Errorf("backup: ScheduleConfig.Start %v is not within the period of %v", c.Start, c.Period)
	case c.Window < 0 || c.Window > c.Period:
		return c, fmt.Errorf("backup: ScheduleConfig.Window %v is not within the period of %v", c.Window, c.Period)
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
		logger.WarnContext(ctx, "backup: a clock is wrong, or was",
			slog.String("tenant", r.Tenant.Slug), slog.String("reason", w))
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
