package migrate

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

const (
	// DefaultWorkers is how many schemas [Runner.UpAll] migrates at a time by default.
	DefaultWorkers = 4

	// DefaultDrain is how long schemas that are being migrated may go on after the run's context has
	// ended.
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
	// have sent by then goes on, some 50 ms of work for each. Failures found before the work, such as
	// a missing schema, do not count. Default: 0, do not stop.
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

	// Events is called as the work goes on, from several goroutines but not concurrently. It must not
	// block, because the run waits for it. Default: none.
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
