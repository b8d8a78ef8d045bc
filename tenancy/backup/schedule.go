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

// Schedule backs up all tenants, each once per period, and verifies their backups by restoring them
// into a scratch schema. Any number of processes may run one over the same registry with the same
// configuration. A lease, which a process renews while it lives, ensures that one process at a time
// works on a tenant. The registry stores what was done, so that a restart neither repeats nor skips
// a run. A Schedule is safe for concurrent use.
type Schedule struct {
	s   *Service
	cfg ScheduleConfig
}

// NewSchedule returns a schedule of a service with a store. It does not connect. The tables of
// [Migrations] must exist when it runs.
func NewSchedule(s *Service, cfg ScheduleConfig) (*Schedule, error) {
	cfg, err := cfg.withDefaults(s)
	if err != nil {
		return nil, err
	}
	return &Schedule{s: s, cfg: cfg}, nil
}

// Run calls [Schedule.RunDue] now and at every [ScheduleConfig].Tick until ctx ends, and returns
// the cause of that. Errors are logged, and the runs are retried when they are due again.
func (c *Schedule) Run(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Tick)
	defer tick.Stop()
	for {
		if _, err := c.RunDue(ctx); err != nil && ctx.Err() == nil {
			c.s.cfg.Logger.ErrorContext(ctx, "some scheduled backups failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// ScheduleReport counts the runs of [Schedule.RunDue].
type ScheduleReport struct {
	Due    int // runs that were due and whose lease this process acquired
	Done   int // runs that succeeded
	Failed int // runs that failed
}

// RunDue runs what is due now, and returns when all of it has ended. An error of one tenant does
// not stop the others. The returned error joins those of at most 20 runs; the registry stores all
// of them ([Schedule.States]). The report is valid with an error too. When ctx ends, the runs in
// progress end without counting as failures and are due again at once.
func (c *Schedule) RunDue(ctx context.Context) (ScheduleReport, error) {
	var (
		results runResults
		wg      sync.WaitGroup
		jobs    = make(chan job)
	)
	for range c.cfg.Workers {
		wg.Go(func() {
			for j := range jobs {
				c.runWithVerification(ctx, j, &results)
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
	return results.report, errors.Join(append(results.errs, err)...)
}

// runWithVerification runs a job, and then the verification that is also due.
func (c *Schedule) runWithVerification(ctx context.Context, j job, results *runResults) {
	for next := &j; next != nil && ctx.Err() == nil; next = next.verify {
		done, acquired, err := c.runJob(ctx, *next)
		results.add(acquired, done, err)
		if !acquired {
			return // another process has the lease and also runs the verification
		}
		if next.verify != nil && done.Name != "" {
			next.verify.name = done.Name // retention may have deleted the previous backup
		}
	}
}

// maxScheduleErrors bounds the errors that [Schedule.RunDue] joins.
const maxScheduleErrors = 20

// runResults collects the results of runs. It is safe for concurrent use.
type runResults struct {
	mu     sync.Mutex
	report ScheduleReport
	errs   []error // at most maxScheduleErrors
}

// add adds a run. Without an acquired lease only the error counts.
func (r *runResults) add(acquired bool, done ScheduledRun, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && len(r.errs) < maxScheduleErrors {
		r.errs = append(r.errs, err)
	}
	switch {
	case !acquired:
	case err != nil || done.Err != nil:
		r.report.Due++
		r.report.Failed++
	default:
		r.report.Due++
		r.report.Done++
	}
}

// job is a run that is due for one tenant.
type job struct {
	kind   RunKind
	tenant tenancy.Tenant
	slot   time.Time
	name   string // of RunVerify: the archive

	verify   *job // of a backup: a verification that is also due and runs after it
	warnings []string
}

// runJob acquires the lease, if the job is still due and no process holds it, and executes the job.
func (c *Schedule) runJob(ctx context.Context, j job) (done ScheduledRun, acquired bool, err error) {
	l, acquired, err := c.acquire(ctx, j)
	if err != nil || !acquired {
		return done, acquired, err
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

// execute returns the verified archive, together with an error if a later step failed.
func (c *Schedule) execute(ctx context.Context, j job, done *ScheduledRun) (Info, error) {
	if j.kind == RunVerify {
		verification, err := c.s.Verify(ctx, j.name, c.cfg.VerifyOptions)
		if err != nil {
			return Info{}, err
		}
		done.Name, done.TakenAt = j.name, verification.TakenAt
		return Info{Name: j.name, TakenAt: verification.TakenAt, VerifiedAt: time.Now()}, nil
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
	verified, err := c.lastVerified(ctx, j.tenant.ID)
	if err != nil {
		return info, err
	}
	pruned, warnings, err := c.s.prune(ctx, j.tenant.ID, c.cfg.Retention, verified, info.Name)
	done.Pruned, done.Warnings = append(done.Pruned, pruned...), append(done.Warnings, warnings...)
	if err != nil {
		err = fmt.Errorf("prune: %w", err)
	}
	return info, err
}

// noSpace reports whether the store returned the operating system's error for a full disk or an
// exceeded quota.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// backUpAfterPruning deletes what retention would not keep beside the new backup, and then tries
// the backup once more. The newest backup always stays. full is the error of the first attempt.
func (c *Schedule) backUpAfterPruning(ctx context.Context, j job, done *ScheduledRun, full error) (Info, error) {
	verified, err := c.lastVerified(ctx, j.tenant.ID)
	if err != nil {
		return Info{}, errors.Join(full, err)
	}
	pruned, warnings, err := c.s.pruneFor(ctx, j.tenant.ID, c.cfg.Retention, true, verified)
	done.Pruned, done.Warnings = pruned, append(done.Warnings, warnings...)
	if err != nil || len(pruned) == 0 {
		return Info{}, errors.Join(full, err)
	}
	return c.s.Backup(ctx, j.tenant.Slug, c.cfg.Options)
}
