package migrate

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

const (
	// DefaultWorkers is how many schemas [Runner.UpAll] migrates at a time.
	DefaultWorkers = 4

	// DefaultDrain is how long a schema under way may go on when the run's context has ended.
	DefaultDrain = 10 * time.Second

	// MaxPerTransaction bounds [UpAllOptions.PerTransaction]: each schema takes locks, and the
	// server's lock table has an end.
	MaxPerTransaction = 10
)

// UpAllOptions say how to go over many schemas. The zero value means all of them.
type UpAllOptions struct {
	// Workers is how many schemas are migrated at a time, each on a connection of its own.
	// Default: [DefaultWorkers]. Never more than the pool has connections.
	Workers int

	// SkipShared leaves out the shared set. Default: it is applied first, where the configuration has
	// one.
	SkipShared bool

	// Only names the schemas to look at; any that is not on the list is an [UnlistedError]. Default:
	// all.
	Only []string

	// Except names the schemas to leave out. Default: none.
	Except []string

	// Limit is how many schemas are started at most. The others are [NotStarted]. Default: 0, no
	// limit.
	Limit int

	// Order compares the names of two schemas that are behind, as for slices.SortFunc. Default: the
	// list's order.
	Order func(a, b string) int

	// StopAfter is the number of failures after which no further schema is started; what other workers
	// have sent by then goes on, some 50 ms of work for each. What is found wrong before the work,
	// such as a missing schema, does not count. Default: 0, go on to the end.
	StopAfter int

	// Canary says which schemas go first. Default: none.
	Canary Canary

	// PerTransaction is how many schemas share a transaction, where all that is pending in each is SQL
	// in one transaction: one file, or any number with [TransactionForAll]. If one of them fails, all
	// are undone and tried one by one. It saves commits, and holds the locks of all its schemas until
	// the last is done. A schema with several files has a transaction for each of them. Default: 1; at
	// most [MaxPerTransaction].
	PerTransaction int

	// Drain is how long the schemas under way may go on when the context has ended: those that were
	// sent, some 50 ms of work for each worker. Then they are cancelled and rolled back. One that is
	// cut off like that is reported [Failed], though the server may have committed it just before, or
	// may not have come to it: the next run looks. Default: [DefaultDrain]; negative: not at all.
	Drain time.Duration

	// Events is called as the work goes on, by several goroutines but by one at a time. It must
	// not block: the run waits for it. Default: none.
	Events func(Event)
}

// Canary says which schemas are migrated before all others. If one of them fails, or the check
// does, the others are not started. The zero value is no canary.
type Canary struct {
	// Count is how many schemas that are behind go first. Default: 0.
	Count int

	// Schemas names others that go first; any that is not on the list is an [UnlistedError]. Default:
	// none.
	Schemas []string

	// Check is called when the canaries are migrated, with what came of them, and again in each later
	// run as long as schemas are behind. With an error the others are not started. ctx is that of the
	// run. Default: none.
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
