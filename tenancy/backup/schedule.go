package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// Schedule backs up all tenants, each once in a period, and restores their backups into scratch to see that it can be done. Any number of
// processes may run one over the same registry with the same configuration: a tenant is worked on by one of them at a time, under a lease
// that is renewed while the process lives. What a tenant is due for is in the registry, so that a restart repeats and forgets nothing.
// It is safe for concurrent use.
type Schedule struct {
	s   *Service
	cfg ScheduleConfig
}

// NewSchedule returns a schedule of a service that has a store. It does not connect. The table of [Migrations] has to be there when it runs.
func NewSchedule(s *Service, cfg ScheduleConfig) (*Schedule, error) {
	cfg, err := cfg.withDefaults(s)
	if err != nil {
		return nil, err
	}
	return &Schedule{s: s, cfg: cfg}, nil
}

// Run does what is due, now and at every [ScheduleConfig].Tick, until ctx ends, and returns the cause of that. Errors are logged, and
// tried again when it is time.
func (c *Schedule) Run(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Tick)
	defer tick.Stop()
	for {
		if _, err := c.RunDue(ctx); err != nil && ctx.Err() == nil {
			c.s.cfg.Logger.ErrorContext(ctx, "backups not all done", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// ScheduleReport counts what [Schedule.RunDue] did.
type ScheduleReport struct {
	Due    int // runs that were due and nobody else's
	Done   int // that were good
	Failed int
}

// RunDue does what is due now and returns when that has ended. A tenant that fails does not stop the others: the error joins those of
// 20 of them, all are in the registry ([Schedule.States]). The report is valid with an error too. When ctx ends, so do the
// runs under way, as failures of nobody: they are due again at once.
func (c *Schedule) RunDue(ctx context.Context) (ScheduleReport, error) {
	var (
		report ScheduleReport
		errs   []error
		mu     sync.Mutex
		wg     sync.WaitGroup
		jobs   = make(chan job)
	)
	for range c.cfg.Workers {
		wg.Go(func() {
			for j := range jobs {
				for _, j := range []*job{&j, j.verify} {
					if j == nil || ctx.Err() != nil {
						break
					}
					done, mine, err := c.runJob(ctx, *j)
					mu.Lock()
					report.count(mine, done, err)
					if err != nil && len(errs) < maxScheduleErrors {
						errs = append(errs, err)
					}
					mu.Unlock()
					if !mine {
						break // another process has the lease, and also runs the verification
					}
					if j.verify != nil && done.Name != "" {
						j.verify.name = done.Name // retention may have removed the previous backup
					}
				}
			}
		})
	}
	err := c.eachDue(ctx, func(j job) bool {
		select {
		case jobs <- j:
			return true
		case <-ctx.Done():
			return false
		}
	})
	close(jobs)
	wg.Wait()
	if err == nil && ctx.Err() == nil {
		_, pruned := c.s.PruneErased(ctx)
		err = errors.Join(c.deleteOrphanedRuns(ctx), pruned)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return report, errors.Join(append(errs, err)...)
}

// maxScheduleErrors is how many tenants' errors [Schedule.RunDue] joins.
const maxScheduleErrors = 20

func (r *ScheduleReport) count(mine bool, done ScheduledRun, err error) {
	switch {
	case !mine:
	case err != nil || done.Err != nil:
		r.Due++
		r.Failed++
	default:
		r.Due++
		r.Done++
	}
}

// job is a tenant that is due.
type job struct {
	kind   RunKind
	tenant tenancy.Tenant
	slot   time.Time
	name   string // for RunVerify: the archive

	verify   *job // of a backup: the verification that is also due, and runs after it
	warnings []string
}

// work takes the lease, if the job is still due and nobody's, and does it.
func (c *Schedule) runJob(ctx context.Context, j job) (done ScheduledRun, mine bool, err error) {
	l, mine, err := c.acquire(ctx, j)
	if err != nil || !mine {
		return done, mine, err
	}
	start := time.Now()
	inside, stop := l.start(ctx)
	done = ScheduledRun{Kind: j.kind, Tenant: j.tenant, Warnings: j.warnings}
	info, err := c.execute(inside, j, &done)
	if cause := context.Cause(inside); err != nil && errors.Is(cause, ErrLeaseLost) {
		err = cause
	}
	stop()
	done.Duration = time.Since(start)
	if left := l.release(ctx, info, err); left != nil {
		err = errors.Join(err, left)
	}
	if err != nil {
		done.Err = fmt.Errorf("scheduled %s of tenant %q: %w", j.kind, j.tenant.Slug, err)
	}
	done.log(ctx, c.s.cfg.Logger)
	c.cfg.Ended(ctx, done)
	return done, true, done.Err
}

// do returns the archive that is good, together with an error where that came later.
func (c *Schedule) execute(ctx context.Context, j job, done *ScheduledRun) (Info, error) {
	if j.kind == RunVerify {
		drill, err := c.s.Verify(ctx, j.name, c.cfg.VerifyOptions)
		if err != nil {
			return Info{}, err
		}
		done.Name, done.TakenAt = j.name, drill.TakenAt
		return Info{Name: j.name, TakenAt: drill.TakenAt, VerifiedAt: time.Now()}, nil
	}
	info, err := c.s.Backup(ctx, j.tenant.Slug, c.cfg.Options)
	if noSpace(err) && !c.cfg.Retention.all() {
		info, err = c.backUpAfterPruning(ctx, j, done, err)
	}
	if err != nil {
		return Info{}, err
	}
	done.Name, done.TakenAt = info.Name, info.TakenAt
	if c.cfg.Retention.all() {
		return info, nil
	}
	drilled, err := c.lastVerified(ctx, j.tenant.ID)
	if err != nil {
		return info, err
	}
	pruned, warnings, err := c.s.prune(ctx, j.tenant.ID, c.cfg.Retention, drilled, info.Name)
	done.Pruned, done.Warnings = append(done.Pruned, pruned...), append(done.Warnings, warnings...)
	if err != nil {
		err = fmt.Errorf("prune: %w", err)
	}
	return info, err
}

// noSpace reports whether the store returned the operating system's error for a full disk or quota.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// backUpAfterPruning removes what retention would not keep beside the new backup, and then tries
// the backup once more. The newest backup always stays. full is the error of the first attempt.
func (c *Schedule) backUpAfterPruning(ctx context.Context, j job, done *ScheduledRun, full error) (Info, error) {
	drilled, err := c.lastVerified(ctx, j.tenant.ID)
	if err != nil {
		return Info{}, errors.Join(full, err)
	}
	pruned, warnings, err := c.s.pruneFor(ctx, j.tenant.ID, c.cfg.Retention, true, drilled)
	done.Pruned, done.Warnings = pruned, append(done.Warnings, warnings...)
	if err != nil || len(pruned) == 0 {
		return Info{}, errors.Join(full, err)
	}
	return c.s.Backup(ctx, j.tenant.Slug, c.cfg.Options)
}
