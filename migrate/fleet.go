package migrate

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// fleet is one run of [Runner.UpAll] over many schemas.
type fleet struct {
	r      *Runner
	opts   UpAllOptions
	survey *survey
	start  time.Time // of the work, for Progress

	mu       sync.Mutex // guards report and progress, and the calls of Events
	report   Report
	progress Progress

	started  int               // number of schemas started; guarded by the queue's mutex
	expected map[string]string // schemas that the options name and the list has not yielded yet, with the option
}

// UpAll applies the shared set and then the pending migrations of each schema of list, a few
// schemas at a time, as [Runner.Up] does. It reads the version tables of all schemas before it
// changes the first. A schema that fails does not stop the others, unless the options say so. After
// the work it reads the list again until no new schema is behind. So tenants that are created
// during the run are migrated too.
//
// UpAll can be run again at any time, and by several processes at once. It applies nothing twice,
// and a schema that is current costs next to nothing. When ctx ends, it starts no further schema.
// Those that are being migrated may go on for [UpAllOptions.Drain]. The others are [NotStarted].
//
// The error is that of [Report.Err]: nil if every schema on the list is up to date. Otherwise it is
// an [OptionError], an [UnlistedError], a [SharedError], a [CanaryError], the error of the context,
// the list or the connection, or an error which says that schemas failed. The last one wraps
// [ErrIncomplete], and so does every error that left schemas behind. The report is valid in all
// cases.
func (r *Runner) UpAll(ctx context.Context, list List, opts UpAllOptions) (Report, error) {
	begin := time.Now()
	opts, err := opts.withDefaults(int(r.pool.Config().MaxConns))
	if err != nil {
		return Report{}, err
	}
	f := &fleet{r: r, opts: opts, survey: &survey{r: r, lines: r.lineages(), seen: newSeenSchemas(), atOnce: opts.Workers}}
	f.report.Started = begin
	work, stop := drained(ctx, opts.Drain)
	defer stop()
	f.report.Stopped = f.run(ctx, work, list)
	slices.SortStableFunc(f.report.Results, func(a, b Result) int { return cmp.Compare(a.order, b.order) })
	f.report.Duration = time.Since(begin)
	if f.report.Edited > 0 {
		r.cfg.Logger.WarnContext(ctx, "files were edited since they were applied", slog.Int("schemas", f.report.Edited))
	}
	return f.report, f.report.Err()
}

// drained returns a context that ends the duration d after ctx.
func drained(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-work.Done():
		}
	})
	return work, func() {
		unhook()
		cancel(nil)
	}
}

// maxRounds bounds how often the list is read again. Otherwise a program that keeps creating
// tenants could keep the run going without end.
const maxRounds = 10

func (f *fleet) run(ctx, work context.Context, list List) error {
	if err := f.shared(ctx, work); err != nil {
		return err
	}
	if err := f.r.checkPath(ctx); err != nil {
		return err
	}
	f.expectNames()
	behind, err := f.behind(ctx, list)
	if err == nil {
		err = f.unlisted()
	}
	if err != nil {
		return err
	}
	f.start = time.Now()
	if f.opts.Canary.set() && len(behind) > 0 {
		var canaries []member
		canaries, behind = f.canaries(behind)
		if err := f.runCanaries(ctx, work, canaries, behind); err != nil {
			return err
		}
	}
	for round := 0; (len(behind) > 0 || f.progress.Done > 0 && round == 0) && round < maxRounds; round++ {
		if err := f.phase(ctx, work, behind); err != nil {
			return err
		}
		if behind, err = f.behind(ctx, list); err != nil {
			return err
		}
	}
	if len(f.opts.Only) > 0 {
		return nil
	}
	return f.survey.unregistered(ctx, list, func(schema string) error {
		f.report.Results = append(f.report.Results, Result{Schema: schema, Outcome: Unregistered, order: math.MaxInt})
		return nil
	})
}

// shared applies the shared set.
func (f *fleet) shared(ctx, work context.Context) error {
	if f.opts.SkipShared || len(f.r.shared) == 0 {
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	res, err := f.r.Up(work, f.r.cfg.SharedSchema)
	if err != nil {
		f.report.Results = append(f.report.Results, res)
		return &SharedError{Err: err}
	}
	if len(res.Applied) > 0 {
		f.report.Results = append(f.report.Results, res)
	}
	return nil
}

// behind reads the list and returns the schemas on it that are new in this run and behind.
func (f *fleet) behind(ctx context.Context, list List) ([]member, error) {
	var behind []member
	err := f.survey.each(ctx, f.filtered(list), func(m *member) error {
		if !f.survey.seen.add(m) {
			return nil
		}
		f.report.Listed++
		if len(m.edited) > 0 {
			f.report.Edited++
		}
		m.order = f.report.Listed
		switch {
		case m.outcome() == Current:
			f.report.Current++
		case m.outcome() == Behind || m.tableLocked():
			behind = append(behind, *m)
		default:
			f.report.Results = append(f.report.Results, m.result(m.err))
		}
		return nil
	})
	if f.opts.Order != nil {
		slices.SortStableFunc(behind, func(a, b member) int { return f.opts.Order(a.schema, b.schema) })
	}
	if len(behind) > 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.progress.Total += len(behind)
		f.emitLocked(Event{Kind: EventPlanned})
	}
	return behind, err
}

// filtered returns the part of the list that the options name.
func (f *fleet) filtered(list List) List {
	only, except := nameSet(f.opts.Only), nameSet(f.opts.Except)
	return func(ctx context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for name, err := range list(ctx) {
				delete(f.expected, name)
				if err == nil && (len(only) > 0 && !only[name] || except[name]) {
					continue
				}
				if !yield(name, err) {
					return
				}
			}
		}
	}
}

func nameSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// expectNames sets f.expected to the names in the options that the list must yield.
func (f *fleet) expectNames() {
	f.expected = make(map[string]string)
	for _, name := range f.opts.Canary.Schemas {
		f.expected[name] = "Canary"
	}
	for _, name := range f.opts.Only {
		f.expected[name] = "Only"
	}
}

// unlisted returns an error if the list has not yielded one of these names.
func (f *fleet) unlisted() error {
	for _, name := range slices.Sorted(maps.Keys(f.expected)) {
		return &UnlistedError{Option: f.expected[name], Schema: name}
	}
	return nil
}

// canaries separates the schemas that go first from the others.
func (f *fleet) canaries(behind []member) (first, rest []member) {
	left := f.opts.Canary.Count
	for _, m := range behind {
		switch {
		case slices.Contains(f.opts.Canary.Schemas, m.schema):
			first = append(first, m)
		case left > 0:
			left--
			first = append(first, m)
		default:
			rest = append(rest, m)
		}
	}
	return first, rest
}

// runCanaries migrates the canaries. If it returns an error, the rest is reported as not started.
func (f *fleet) runCanaries(ctx, work context.Context, canaries, rest []member) error {
	before := len(f.report.Results)
	err := f.phase(ctx, work, canaries)
	if err == nil {
		report := Report{
			Results:  slices.Clone(f.report.Results[before:]),
			Started:  f.start,
			Duration: time.Since(f.start),
			Listed:   len(canaries),
		}
		report.Current = len(canaries) - len(report.Results)
		for _, res := range report.Results {
			if err = res.Err; err != nil {
				break
			}
		}
		if err == nil && f.opts.Canary.Check != nil {
			err = f.opts.Canary.Check(ctx, report)
		}
		if err != nil {
			err = &CanaryError{Err: err}
		}
	}
	if err != nil {
		f.reportNotStarted(rest, err)
	}
	return err
}
