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

// Quarantine knows which schemas the program cannot work with. It is safe for concurrent use.
type Quarantine struct {
	cfg   Config
	known atomic.Pointer[map[string]verdict] // never changed once it is there

	looking sync.Mutex // while all schemas, or those in quarantine, are looked at

	mu       sync.Mutex // guards the replacement of known, the calls of Changed, and what follows
	failures map[string]error
	first    map[string]*firstLook
	surveyed time.Time
	err      error
}

// verdict is what was found out of one schema.
type verdict struct {
	entry *Entry    // nil: it can be served
	at    time.Time // when the look began
}

// firstLook is the look at a schema that was not known, which several requests may wait for.
type firstLook struct {
	done  chan struct{}
	entry *Entry // to be read when done
}

// New looks at all schemas and returns what it found; [Quarantine.Run] keeps it current. The error is that of the
// configuration, of the list or of the database: without a first look no tenant is to be served. ctx governs the look.
func New(ctx context.Context, cfg Config) (*Quarantine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Quarantine{cfg: cfg, failures: make(map[string]error), first: make(map[string]*firstLook)}
	q.known.Store(&map[string]verdict{})
	for _, res := range cfg.Results {
		q.tried(res)
	}
	q.cfg.Results = nil
	if err := q.Refresh(ctx); err != nil {
		return nil, err
	}
	return q, nil
}

// Admit returns nil if the program can work with the tenant's schema, else a [tenancy.QuarantineError]. It is for
// [tenanthttp.Routes], [tenanttoken.PropagatorConfig] and [tenancy.ForEachOptions]. It costs a look into memory, and a query for a
// schema that is met for the first time, for which it waits until ctx ends or [Config].FirstTimeout has passed.
func (q *Quarantine) Admit(ctx context.Context, t *tenancy.Tenant) error {
	v, ok := (*q.known.Load())[t.Schema]
	if !ok {
		v.entry = q.lookFirst(ctx, t.Schema)
	}
	if v.entry == nil {
		return nil
	}
	return v.entry.error(t, q.cfg.RetryAfter)
}

// lookFirst looks at a schema that is not known. What cannot be looked at is kept out.
func (q *Quarantine) lookFirst(ctx context.Context, schema string) *Entry {
	q.mu.Lock()
	look, under := q.first[schema]
	if !under {
		if v, ok := (*q.known.Load())[schema]; ok {
			q.mu.Unlock()
			return v.entry
		}
		look = &firstLook{done: make(chan struct{})}
		q.first[schema] = look
		go q.firstLook(context.WithoutCancel(ctx), schema, look)
	}
	q.mu.Unlock()
	select {
	case <-look.done:
		return look.entry
	case <-ctx.Done():
		return &Entry{Schema: schema, Reason: Unknown, Since: time.Now(), Err: context.Cause(ctx)}
	}
}

func (q *Quarantine) firstLook(ctx context.Context, schema string, look *firstLook) {
	ctx, cancel := context.WithTimeout(ctx, q.cfg.FirstTimeout)
	defer cancel()
	begun := time.Now()
	states, err := q.cfg.Runner.States(ctx, schema)
	if err != nil || len(states) == 0 {
		states = []migrate.SchemaState{{Schema: schema, Outcome: migrate.Failed, Err: err}}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.enter(ctx, begun, states, false)
	look.entry = (*q.known.Load())[schema].entry
	delete(q.first, schema)
	close(look.done)
}

// Refresh looks at all schemas now. With an error what was known stays. ctx governs the look, for [Config].Timeout at most.
func (q *Quarantine) Refresh(ctx context.Context) error {
	q.looking.Lock()
	defer q.looking.Unlock()
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
	q.enter(ctx, begun, states, true)
	return nil
}

// recheck looks at the schemas in quarantine.
func (q *Quarantine) recheck(ctx context.Context) error {
	var schemas []string
	for _, e := range q.List() {
		schemas = append(schemas, e.Schema)
	}
	if len(schemas) == 0 {
		return nil
	}
	return q.look(ctx, schemas)
}

// look looks at some schemas.
func (q *Quarantine) look(ctx context.Context, schemas []string) error {
	q.looking.Lock()
	defer q.looking.Unlock()
	begun := time.Now()
	timed, cancel := context.WithTimeout(ctx, q.cfg.Timeout)
	defer cancel()
	states, err := q.cfg.Runner.States(timed, schemas...)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err = err; err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	q.enter(ctx, begun, states, false)
	return nil
}

// enter puts in what a look has found that began at a time. Where all were looked at, what was not found is forgotten,
// unless it was looked at later by itself. The caller holds the lock.
func (q *Quarantine) enter(ctx context.Context, begun time.Time, states []migrate.SchemaState, all bool) {
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
			v.entry = was.entry // a lock was in the way: nothing else is known of it than before
		case was.entry.same(v.entry):
			v.entry.Since = was.entry.Since
		}
		now[state.Schema] = v
	}
	q.known.Store(&now)
	for schema, v := range now {
		if was := before[schema]; !was.entry.same(v.entry) {
			q.tell(ctx, Change{Schema: schema, Before: was.entry, After: v.entry})
		}
	}
	for schema, was := range before {
		if _, still := now[schema]; !still {
			delete(q.failures, schema)
			if was.entry != nil {
				q.tell(ctx, Change{Schema: schema, Before: was.entry})
			}
		}
	}
}

func (q *Quarantine) tell(ctx context.Context, c Change) {
	if c.After == nil {
		q.cfg.Logger.InfoContext(ctx, "tenant left quarantine", slog.String("schema", c.Schema), slog.String("reason", c.Before.Reason))
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

// Migrated enters what came of a run: a schema that is behind because its migration failed is [Failed], with that error.
// One that was migrated is out at once. It looks at the schemas that failed or are in quarantine; where that does not
// succeed, the next look of [Quarantine.Run] finds out. ctx governs the look.
func (q *Quarantine) Migrated(ctx context.Context, results ...migrate.Result) {
	var schemas []string
	q.mu.Lock()
	for _, res := range results {
		q.tried(res)
		v, known := (*q.known.Load())[res.Schema]
		if known && (v.entry != nil || res.Outcome == migrate.Failed) {
			schemas = append(schemas, res.Schema)
		}
	}
	q.mu.Unlock()
	if len(schemas) == 0 {
		return
	}
	if err := q.look(ctx, schemas); err != nil {
		q.cfg.Logger.WarnContext(ctx, "quarantine is not current", slog.Any("error", err))
	}
}

// tried notes whether a schema's migration failed.
func (q *Quarantine) tried(res migrate.Result) {
	if delete(q.failures, res.Schema); res.Outcome == migrate.Failed {
		q.failures[res.Schema] = res.Err
	}
}

// Run keeps what is known current until ctx ends. An error is logged, and what was known stays.
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

// List returns the schemas in quarantine, by name.
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

// Of returns the entry of a schema, or nil if it is not in quarantine as far as is known.
func (q *Quarantine) Of(schema string) *Entry { return (*q.known.Load())[schema].entry }

// Status says how the quarantine is doing, for metrics and health checks.
type Status struct {
	Surveyed time.Time      // when the last look at all schemas began
	Counts   map[string]int // schemas by reason, with those that none has
	Err      error          // why the last look failed; nil after one that did not
}

// Status returns how the quarantine is doing. It costs no query.
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
