package migrate

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"
)

const (
	// DefaultWorkers is the default of [UpAllOptions].Workers.
	DefaultWorkers = 4

	// DefaultDrain is the default of [UpAllOptions].Drain.
	DefaultDrain = 10 * time.Second

	// MaxPerTransaction bounds [UpAllOptions.PerTransaction], because each schema takes locks and the
	// server's lock table has a limited size.
	MaxPerTransaction = 10
)

// UpAllOptions are the options of [Runner.UpAll]. The zero value migrates all schemas.
type UpAllOptions struct {
	// Workers is how many schemas are migrated at a time, each on its own connection. It is never more
	// than the connections of the pool. Default: [DefaultWorkers].
	Workers int

	// SkipShared leaves out the shared set. Default: the shared set is applied first, if the
	// configuration has one.
	SkipShared bool

	// Only names the schemas to migrate. A name that is not on the list is an [UnlistedError].
	// Default: all schemas.
	Only []string

	// Except names the schemas to leave out. Default: none.
	Except []string

	// Limit is the greatest number of schemas to start. The others are [NotStarted]. Default: 0, no
	// limit.
	Limit int

	// Order compares the names of two schemas that are behind, as for slices.SortFunc. Default: the
	// order of the list.
	Order func(a, b string) int

	// StopAfter is the number of failures after which no further schema is started. What other workers
	// have sent by then goes on, some 50 ms of work for each. A failure that is found while the
	// version tables are read, such as a missing schema, does not count. Default: 0, do not stop.
	StopAfter int

	// Canary says which schemas go first. Default: none.
	Canary Canary

	// PerTransaction is how many schemas share a transaction. It applies to schemas whose pending
	// migrations are SQL in one transaction: one file, or any number with [TransactionForAll]. A
	// schema with several files has a transaction for each of them. If one of the schemas fails, all
	// are rolled back and tried one by one. This saves commits, but it holds the locks of all the
	// schemas until the last one is done. Default: 1; at most [MaxPerTransaction].
	PerTransaction int

	// Drain is how long schemas that are being migrated may go on after the context has ended. These
	// are the schemas that were sent to the server, some 50 ms of work for each worker. Then they are
	// cancelled and rolled back, and reported as [Failed]. The server may have committed such a schema
	// just before, or not have begun with it; the next run finds out. Default: [DefaultDrain];
	// negative: no time at all.
	Drain time.Duration

	// Events is called with each [Event] of the run, from several goroutines but not concurrently. It
	// must not block, because the run waits for it. Default: none.
	Events func(Event)
}

// Canary says which schemas are migrated before all others. If one of them or the check fails, the
// others are not started. The zero value is no canary.
type Canary struct {
	// Count is how many of the schemas that are behind go first. Default: 0.
	Count int

	// Schemas names further schemas that go first. A name that is not on the list is an
	// [UnlistedError]. Default: none.
	Schemas []string

	// Check is called after the canaries were migrated, with their report. Each later run calls it
	// again, as long as schemas are behind. If it returns an error, the others are not started. ctx is
	// that of the run. Default: none.
	Check func(ctx context.Context, canaries Report) error
}

func (c Canary) set() bool { return c.Count > 0 || len(c.Schemas) > 0 || c.Check != nil }

func (o UpAllOptions) withDefaults(connections int) (UpAllOptions, error) {
	for _, n := range []struct {
		option string
		value  int
	}{
		{"Workers", o.Workers},
		{"Limit", o.Limit},
		{"StopAfter", o.StopAfter},
		{"PerTransaction", o.PerTransaction},
		{"Canary", o.Canary.Count},
	} {
		if n.value < 0 {
			return o, &OptionError{Option: n.option, Reason: fmt.Sprintf("is %d", n.value)}
		}
	}
	if o.PerTransaction > MaxPerTransaction {
		return o, &OptionError{
			Option: "PerTransaction",
			Reason: fmt.Sprintf("is %d, more than %d", o.PerTransaction, MaxPerTransaction),
		}
	}
	o.Workers = min(cmp.Or(o.Workers, DefaultWorkers), connections)
	o.PerTransaction = cmp.Or(o.PerTransaction, 1)
	o.Drain = max(cmp.Or(o.Drain, DefaultDrain), 0)
	return o, nil
}

// List yields the names of the schemas of a fleet, in the order in which to migrate them. A run
// calls it several times, so that it finds schemas that were created meanwhile. If it yields an
// error, the run ends. A name that it yields twice counts once.
//
// It must not hold a connection of the runner's pool while it yields. The method Schemas of package
// tenancy's Manager is a List.
type List func(ctx context.Context) iter.Seq2[string, error]

// Schemas returns a List of the names.
func Schemas(names ...string) List {
	names = slices.Clone(names)
	return func(context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, name := range names {
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}

// EventKind is the kind of an [Event].
type EventKind string

const (
	// EventPlanned says how many schemas are behind, in Progress.Total. It is sent again if more are
	// found.
	EventPlanned EventKind = "planned"

	// EventStarted says that the work on a schema begins. It is sent once for a schema, also if the
	// schema is tried again.
	EventStarted EventKind = "started"

	// EventFinished has the result of a schema, also of one that was not started.
	EventFinished EventKind = "finished"
)

// Event is a step in the progress of a run.
type Event struct {
	Kind     EventKind
	Schema   string // empty in EventPlanned
	Result   Result // in EventFinished
	Progress Progress
}

// Progress is how far a run has come.
type Progress struct {
	Total   int // schemas that were behind, as far as is known
	Done    int // of these, the schemas that are finished, with or without an error
	Failed  int // of these, the failures
	Elapsed time.Duration
}

// Rate returns how many schemas were done per second.
func (p Progress) Rate() float64 {
	if p.Elapsed <= 0 {
		return 0
	}
	return float64(p.Done) / p.Elapsed.Seconds()
}

// ETA returns how long the rest will take at this rate. It returns 0 if nothing is left, or if
// nothing is done yet.
func (p Progress) ETA() time.Duration {
	if p.Done == 0 || p.Done >= p.Total {
		return 0
	}
	return time.Duration(float64(p.Elapsed) / float64(p.Done) * float64(p.Total-p.Done))
}
