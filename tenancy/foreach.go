package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// DefaultWorkers is the default number of tenants that [Manager.ForEach] works on at a time.
const DefaultWorkers = 4

// ForEachOptions configure a run of [Manager.ForEach].
type ForEachOptions struct {
	// Workers is the number of tenants that are worked on at a time. Default: [DefaultWorkers]; a
	// negative number is a [FieldError].
	Workers int

	// Filter selects the tenants. Its Limit is the number of tenants that are read at a time. If its
	// Statuses are empty, only [Active] tenants are selected, unlike in [Registry.List].
	Filter Filter

	// Admit returns nil, or the reason to skip a tenant, such as a [QuarantineError]. For a skipped
	// tenant fn is not called, and its outcome is [Failed] with that error. See Admit of
	// tenanthttp.Routes. Default: fn is called for all tenants.
	Admit func(ctx context.Context, t *Tenant) error

	// StopAfter is the number of failures after which no further tenant is started. Default: 0, no
	// limit.
	StopAfter int
}

func (o ForEachOptions) validate() (ForEachOptions, error) {
	for field, n := range map[string]int{"workers": o.Workers, "stop_after": o.StopAfter} {
		if n < 0 {
			return o, &FieldError{Field: field, Value: fmt.Sprint(n), Rule: "is negative"}
		}
	}
	o.Workers = cmp.Or(o.Workers, DefaultWorkers)
	if len(o.Filter.Statuses) == 0 {
		o.Filter.Statuses = []Status{Active}
	}
	_, err := o.Filter.validate()
	return o, err
}

// ForEach calls fn for each tenant that the options select. It starts the tenants in the order of
// their ids, Workers at a time. The context of fn carries the tenant, for [FromContext] and for
// every statement of package schemactx. A tenant that fails does not stop the others, unless
// StopAfter says so. A panic of fn is logged with its stack and becomes the tenant's error, a
// [PanicError].
//
// Tenants are read a page at a time, so that a tenant may have changed before fn is called for it.
// They are not locked: fn may call the manager. If fn needs exclusive access to a tenant, it uses a
// transaction.
//
// When ctx ends, no further tenant is started, and ForEach returns when the running calls of fn
// have returned. So fn has to watch its context. ForEach holds no connection while fn runs, and
// keeps only the results in memory.
//
// The error is nil if fn was called for every tenant and none failed. Otherwise it is a
// [FieldError], the reason that ended the run, such as ctx's cause, a [ForEachError] if tenants
// failed, or both of these. The report is valid in all cases.
func (m *Manager) ForEach(
	ctx context.Context, fn func(ctx context.Context, t *Tenant) error, o ForEachOptions,
) (ForEachReport, error) {
	o, err := o.validate()
	if err != nil {
		return ForEachReport{}, err
	}
	run := &forEach{fn: fn, options: o, logger: m.cfg.Logger, slots: make(chan struct{}, o.Workers)}
	err = run.run(ctx, m.reader)
	run.wait.Wait()
	return run.report, errors.Join(err, run.report.Err())
}

// forEach is the state of one run of ForEach.
type forEach struct {
	fn      func(ctx context.Context, t *Tenant) error
	options ForEachOptions
	logger  *slog.Logger
	slots   chan struct{} // holds one element per running tenant
	wait    sync.WaitGroup

	mu     sync.Mutex
	report ForEachReport
	failed int
}

// run starts the tenants one after the other. After a stop it records the remaining tenants as not
// started, as far as it can read the registry.
func (r *forEach) run(ctx context.Context, registry *Registry) error {
	last := r.options.Filter.After
	stop := func() { r.report.Stopped, r.report.Next = true, last } // only this goroutine writes these fields
	for t, err := range registry.All(ctx, r.options.Filter) {
		if err != nil {
			stop()
			return err
		}
		if r.report.Stopped || !r.slot(ctx) {
			stop()
			r.record(ForEachResult{ID: t.ID, Slug: t.Slug, Outcome: NotStarted})
			continue
		}
		last = t.ID
		i := r.record(ForEachResult{ID: t.ID, Slug: t.Slug})
		r.wait.Go(func() { r.runOne(ctx, &t, i) })
	}
	if r.report.Stopped {
		return context.Cause(ctx)
	}
	return nil
}

// slot waits for a free worker. It reports whether another tenant may be started.
func (r *forEach) slot(ctx context.Context) bool {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	r.mu.Lock()
	stop := r.options.StopAfter > 0 && r.failed >= r.options.StopAfter
	r.mu.Unlock()
	if stop || ctx.Err() != nil {
		<-r.slots
		return false
	}
	return true
}

func (r *forEach) record(result ForEachResult) (index int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Results = append(r.report.Results, result)
	return len(r.report.Results) - 1
}

// runOne calls Admit and fn for one tenant. It runs on a goroutine of its own, so that a panic or
// [runtime.Goexit] of fn does not end the work on other tenants.
func (r *forEach) runOne(ctx context.Context, t *Tenant, index int) {
	err := errors.New("the function has ended its goroutine with runtime.Goexit")
	defer func() {
		if value := recover(); value != nil {
			panicked := &PanicError{Slug: t.Slug, Value: value, Stack: debug.Stack()}
			r.logger.ErrorContext(ctx, "function panicked for a tenant", slog.String("tenant", t.Slug),
				slog.Any("panic", value), slog.String("stack", string(panicked.Stack)))
			err = panicked
		}
		r.end(index, err)
		<-r.slots
	}()
	if r.options.Admit != nil {
		if err = r.options.Admit(ctx, t); err != nil {
			return
		}
	}
	err = r.fn(NewContext(ctx, t), t)
}

func (r *forEach) end(index int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result := &r.report.Results[index]
	result.Outcome, result.Err = Succeeded, err
	if err != nil {
		result.Outcome = Failed
		r.failed++
	}
}

// Outcome is how the work on a tenant ended in [Manager.ForEach].
type Outcome string

const (
	Succeeded  Outcome = "succeeded"   // fn returned nil
	Failed     Outcome = "failed"      // fn or Admit returned an error, or fn did not return
	NotStarted Outcome = "not started" // the run stopped before this tenant
)

// ForEachResult is the result of one tenant.
type ForEachResult struct {
	ID      int64
	Slug    string
	Outcome Outcome
	Err     error // of a tenant that failed; else nil
}

// ForEachReport has the results of [Manager.ForEach]. The zero value is the report of a run over no
// tenants.
type ForEachReport struct {
	// Results are in the order of the tenants' ids. After StopAfter they include the tenants that were
	// not started. If ctx has ended, the registry cannot be read, and more tenants may be missing.
	Results []ForEachResult

	// Stopped reports whether the run ended before every tenant was started. Next is then the
	// [Filter].After for a run over the remaining tenants. The failed tenants have lower ids.
	Stopped bool
	Next    int64
}

// Count returns how many of the results have the outcome.
func (r ForEachReport) Count(o Outcome) (n int) {
	for _, result := range r.Results {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// Err returns a [ForEachError] if a tenant failed, else nil.
func (r ForEachReport) Err() error {
	for _, result := range r.Results {
		if result.Outcome == Failed {
			return &ForEachError{Failed: r.Count(Failed), Tenants: len(r.Results), First: result}
		}
	}
	return nil
}
