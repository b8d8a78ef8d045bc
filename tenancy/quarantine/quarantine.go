package quarantine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

// Quarantine tracks the schemas that the program cannot work with. It is safe for concurrent use.
type Quarantine struct {
	cfg   Config
	known atomic.Pointer[map[string]verdict] // the map is immutable

	checking sync.Mutex // held during a check of several schemas

	mu       sync.Mutex // guards the replacement of known, the calls of Changed, and what follows
	failures map[string]error
	first    map[string]*firstCheck
	surveyed time.Time
	err      error
}

// verdict is the result of checking one schema.
type verdict struct {
	entry *Entry    // nil: the schema can be served
	at    time.Time // when the check began
}

// firstCheck is the check of an unknown schema, for which several requests may wait.
type firstCheck struct {
	done  chan struct{}
	entry *Entry // valid when done is closed
}

// New checks all schemas; [Quarantine.Run] keeps the result current. Errors are those of the
// configuration, of the list and of the database. After an error, serve no tenant. ctx governs the
// check.
func New(ctx context.Context, cfg Config) (*Quarantine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Quarantine{cfg: cfg, failures: make(map[string]error), first: make(map[string]*firstCheck)}
	q.known.Store(&map[string]verdict{})
	for _, res := range cfg.Results {
		q.recordResult(res)
	}
	q.cfg.Results = nil
	if err := q.Refresh(ctx); err != nil {
		return nil, err
	}
	return q, nil
}

// Admit returns nil if the program can work with the tenant's schema, else a
// [tenancy.QuarantineError]. It is for [tenanthttp.Routes], [tenanttoken.PropagatorConfig] and
// [tenancy.ForEachOptions]. It reads memory; only for an unknown schema it sends a query and waits
// for it until ctx ends or [Config].FirstTimeout has passed.
func (q *Quarantine) Admit(ctx context.Context, t *tenancy.Tenant) error {
	v, ok := (*q.known.Load())[t.Schema]
	if !ok {
		v.entry = q.checkFirst(ctx, t.Schema)
	}
	if v.entry == nil {
		return nil
	}
	return v.entry.error(t, q.cfg.RetryAfter)
}

// checkFirst checks an unknown schema. If the check fails, the schema is refused.
func (q *Quarantine) checkFirst(ctx context.Context, schema string) *Entry {
	q.mu.Lock()
	check, under := q.first[schema]
	if !under {
		if v, ok := (*q.known.Load())[schema]; ok {
			q.mu.Unlock()
			return v.entry
		}
		check = &firstCheck{done: make(chan struct{})}
		q.first[schema] = check
		go q.firstCheck(context.WithoutCancel(ctx), schema, check)
	}
	q.mu.Unlock()
	select {
	case <-check.done:
		return check.entry
	case <-ctx.Done():
		return &Entry{Schema: schema, Reason: Unknown, Since: time.Now(), Err: context.Cause(ctx)}
	}
}

func (q *Quarantine) firstCheck(ctx context.Context, schema string, check *firstCheck) {
	ctx, cancel := context.WithTimeout(ctx, q.cfg.FirstTimeout)
	defer cancel()
	begun := time.Now()
	states, err := q.cfg.Runner.States(ctx, schema)
	if err != nil || len(states) == 0 {
		states = []migrate.SchemaState{{Schema: schema, Outcome: migrate.Failed, Err: err}}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.apply(ctx, begun, states, false)
	check.entry = (*q.known.Load())[schema].entry
	delete(q.first, schema)
	close(check.done)
}

// Refresh checks all schemas now. After an error the previous state stays in force. ctx governs the
// check, for at most [Config].Timeout.
func (q *Quarantine) Refresh(ctx context.Context) error {
	q.checking.Lock()
	defer q.checking.Unlock()
	begun := time.Now()
	timed, cancel := context.WithTimeout(ctx, q.cfg.Timeout)
	defer cancel()
	var states []migrate.SchemaState
	var err error
	for state, e := range q.cfg.Runner.Fleet(timed, q.cfg.Schemas) {
		if err = e; err != nil {
			break
		}
		if state.Outcome != migrate.Unregistered {
			states = append(states, state)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err = err; err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	q.surveyed = begun
	q.apply(ctx, begun, states, true)
	return nil
}

// recheck checks the schemas in quarantine.
func (q *Quarantine) recheck(ctx context.Context) error {
	var schemas []string
	for _, e := range q.List() {
		schemas = append(schemas, e.Schema)
	}
	if len(schemas) == 0 {
		return nil
	}
	return q.check(ctx, schemas)
}

// check checks some schemas.
func (q *Quarantine) check(ctx context.Context, schemas []string) error {
	q.checking.Lock()
	defer q.checking.Unlock()
	begun := time.Now()
	timed, cancel := context.WithTimeout(ctx, q.cfg.Timeout)
	defer cancel()
	states, err := q.cfg.Runner.States(timed, schemas...)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err = err; err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	q.apply(ctx, begun, states, false)
	return nil
}

// apply applies the states of a check that began at the given time. After a check of all schemas,
// schemas that it did not find are forgotten, unless they were checked later on their own. The
// caller holds the lock.
func (q *Quarantine) apply(ctx context.Context, begun time.Time, states []migrate.SchemaState, all bool) {
	before := *q.known.Load()
	now := make(map[string]verdict, max(len(before), len(states)))
	maps.Copy(now, before)
	if all {
		maps.DeleteFunc(now, func(_ string, v verdict) bool { return !v.at.After(begun) })
	}
	for _, state := range states {
		was, met := before[state.Schema]
		if met && was.at.After(begun) {
			continue
		}
		v := verdict{entryOf(state, q.failures[state.Schema], begun), begun}
		switch {
		case v.entry == nil:
			delete(q.failures, state.Schema)
		case met && state.Outcome == migrate.Failed:
			v.entry = was.entry // the check failed, for example on a lock: keep the previous entry
		case was.entry.same(v.entry):
			v.entry.Since = was.entry.Since
		}
		now[state.Schema] = v
	}
	q.known.Store(&now)
	for schema, v := range now {
		if was := before[schema]; !was.entry.same(v.entry) {
			q.notify(ctx, Change{Schema: schema, Before: was.entry, After: v.entry})
		}
	}
	for schema, was := range before {
		if _, still := now[schema]; !still {
			delete(q.failures, schema)
			if was.entry != nil {
				q.notify(ctx, Change{Schema: schema, Before: was.entry})
			}
		}
	}
}

func (q *Quarantine) notify(ctx context.Context, c Change) {
	if c.After == nil {
		q.cfg.Logger.InfoContext(
			ctx,
			"tenant left quarantine",
			slog.String("schema", c.Schema),
			slog.String("reason", c.Before.Reason),
		)
	} else {
		attrs := []slog.Attr{
			slog.String("schema", c.Schema), slog.String("reason", c.After.Reason),
			slog.Int64("version", c.After.Version), slog.Int("pending", len(c.After.Pending)),
		}
		if c.After.Err != nil {
			attrs = append(attrs, slog.Any("error", c.After.Err))
		}
		q.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "tenant in quarantine", attrs...)
	}
	if q.cfg.Changed != nil {
		q.cfg.Changed(ctx, c)
	}
}

// Migrated applies the results of a migration run. A schema that is behind because its migration
// failed becomes [Failed] with that error. A migrated schema leaves quarantine at once. Migrated
// checks the schemas that failed or are in quarantine; if that fails, the next check of
// [Quarantine.Run] follows. ctx governs the check.
func (q *Quarantine) Migrated(ctx context.Context, results ...migrate.Result) {
	var schemas []string
	q.mu.Lock()
	for _, res := range results {
		q.recordResult(res)
		v, known := (*q.known.Load())[res.Schema]
		if known && (v.entry != nil || res.Outcome == migrate.Failed) {
			schemas = append(schemas, res.Schema)
		}
	}
	q.mu.Unlock()
	if len(schemas) == 0 {
		return
	}
	if err := q.check(ctx, schemas); err != nil {
		q.cfg.Logger.WarnContext(ctx, "quarantine is not current", slog.Any("error", err))
	}
}

// recordResult records whether the migration of a schema failed.
func (q *Quarantine) recordResult(res migrate.Result) {
	if delete(q.failures, res.Schema); res.Outcome == migrate.Failed {
		q.failures[res.Schema] = res.Err
	}
}

// Run keeps the state current until ctx ends. An error is logged, and the previous state stays in
// force.
func (q *Quarantine) Run(ctx context.Context) {
	next := time.Now().Add(q.cfg.Interval)
	pause := q.cfg.Recheck
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		begun := time.Now()
		var err error
		if begun.Before(next) {
			err = q.recheck(ctx)
			pause = max(q.cfg.Recheck, 10*time.Since(begun))
		} else {
			err = q.Refresh(ctx)
			next = begun.Add(max(q.cfg.Interval, 10*time.Since(begun)))
		}
		if err != nil && ctx.Err() == nil {
			q.cfg.Logger.WarnContext(ctx, "quarantine is not current", slog.Any("error", err))
		}
	}
}

// List returns the schemas in quarantine, sorted by name.
func (q *Quarantine) List() []*Entry {
	var all []*Entry
	for _, v := range *q.known.Load() {
		if v.entry != nil {
			all = append(all, v.entry)
		}
	}
	slices.SortFunc(all, func(a, b *Entry) int { return strings.Compare(a.Schema, b.Schema) })
	return all
}

// Of returns the entry of a schema, or nil if it is not known to be in quarantine.
func (q *Quarantine) Of(schema string) *Entry { return (*q.known.Load())[schema].entry }

// Status is the state of a [Quarantine], for metrics and health checks.
type Status struct {
	Surveyed time.Time      // when the last check of all schemas began
	Counts   map[string]int // number of schemas by reason, also of reasons with none
	Err      error          // error of the last check; nil: it succeeded
}

// Status returns the current state. It sends no query.
func (q *Quarantine) Status() Status {
	s := Status{Counts: make(map[string]int, len(allReasons))}
	for _, reason := range allReasons {
		s.Counts[reason] = 0
	}
	for _, e := range q.List() {
		s.Counts[e.Reason]++
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Surveyed, s.Err = q.surveyed, q.err
	return s
}
