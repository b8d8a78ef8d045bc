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

// DefaultWorkers is how many tenants [Manager.ForEach] works on at a time.
const DefaultWorkers = 4

// ForEachOptions say what [Manager.ForEach] goes over and how.
type ForEachOptions struct {
	// Workers is how many tenants are worked on at a time. Default: [DefaultWorkers]; negative is a [FieldError].
	Workers int

	// Filter says which tenants; its Limit is how many are read at a time. Default of its Statuses, other than
	// elsewhere: [Active] alone. The work of others is for those who ask for it.
	Filter Filter

	// Admit returns why nothing is to be done for a tenant, such as a [QuarantineError]: fn is not called, and the tenant
	// has [Failed] with that error. See Admit of tenanthttp.Routes. Default: fn is called for all.
	Admit func(ctx context.Context, t *Tenant) error

	// StopAfter is the number of failures after which no further tenant is started. Default: 0, go on to the end.
	StopAfter int
}

func (o ForEachOptions) validate() (ForEachOptions, error) {
	for field, n := range map[string]int{"workers": o.Workers, "stopafter": o.StopAfter} {
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

// ForEach calls fn for each tenant that the options name, a few at a time, in the order of their ids, with a context that
// carries the tenant, for [FromContext] and for every statement of package schemactx. A tenant that fails does not stop the
// others, unless StopAfter says so. What fn panics with is its error, a [PanicError]: it is logged with its stack, and the
// other tenants are worked on.
//
// Tenants are read a page at a time: at the end of a long run a tenant may have changed since. They are not locked, so
// that fn may call the manager; what must have one tenant to itself uses a transaction.
//
// When ctx ends no further tenant is started, and ForEach returns when those that had begun have ended: fn is to look at
// its context. ForEach holds no connection while fn runs, and keeps of the tenants no more than the results.
//
// The error is nil if every tenant was worked on and none failed. Else it is what ended the run, such as ctx's cause, or a
// [FieldError], or that tenants failed, a [ForEachError]; or both. The report is good in all cases.
func (m *Manager) ForEach(ctx context.Context, fn func(ctx context.Context, t *Tenant) error, o ForEachOptions) (ForEachReport, error) {
	o, err := o.validate()
	if err != nil {
		return ForEachReport{}, err
	}
	run := &forEach{fn: fn, options: o, logger: m.cfg.Logger, slots: make(chan struct{}, o.Workers)}
	err = run.over(ctx, m.Registry)
	run.wait.Wait()
	return run.report, errors.Join(err, run.report.Err())
}

// forEach is one run.
type forEach struct {
	fn      func(ctx context.Context, t *Tenant) error
	options ForEachOptions
	logger  *slog.Logger
	slots   chan struct{} // one for each tenant that is worked on
	wait    sync.WaitGroup

	mu     sync.Mutex
	report ForEachReport
	failed int
}

// over starts the tenants one after the other. Those behind the one at which it stopped are noted, as far as the registry
// can be asked.
func (r *forEach) over(ctx context.Context, registry *Registry) error {
	last := r.options.Filter.After
	stop := func() { r.report.Stopped, r.report.Next = true, last } // nothing else writes these
	for t, err := range registry.All(ctx, r.options.Filter) {
		if err != nil {
			stop()
			return err
		}
		if r.report.Stopped || !r.slot(ctx) {
			stop()
			r.note(ForEachResult{ID: t.ID, Slug: t.Slug, Outcome: NotStarted})
			continue
		}
		last = t.ID
		i := r.note(ForEachResult{ID: t.ID, Slug: t.Slug})
		r.wait.Go(func() { r.one(ctx, &t, i) })
	}
	if r.report.Stopped {
		return context.Cause(ctx)
	}
	return nil
}

// slot waits until another tenant may be started, and reports whether it may.
func (r *forEach) slot(ctx context.Context) bool {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	r.mu.Lock()
	enough := r.options.StopAfter > 0 && r.failed >= r.options.StopAfter
	r.mu.Unlock()
	if enough || ctx.Err() != nil {
		<-r.slots
		return false
	}
	return true
}

func (r *forEach) note(result ForEachResult) (index int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Results = append(r.report.Results, result)
	return len(r.report.Results) - 1
}

// one works on a tenant, on a goroutine of its own: what ends that, as a panic or [runtime.Goexit], ends nothing else.
func (r *forEach) one(ctx context.Context, t *Tenant, index int) {
	err := errors.New("the work ended its goroutine")
	defer func() {
		if value := recover(); value != nil {
			panicked := &PanicError{Slug: t.Slug, Value: value, Stack: debug.Stack()}
			r.logger.ErrorContext(ctx, "work on a tenant panicked", slog.String("tenant", t.Slug),
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
