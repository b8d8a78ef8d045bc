package migrate

import (
	"fmt"
	"strings"
	"time"
)

// Report is what came of a run over many schemas.
type Report struct {
	// Results has, in the order of the list, each schema that was not current when it was looked at:
	// migrated, failed, not started. At the end come strays, in front, with the name public, the
	// shared set if it was not current.
	Results []Result

	Listed  int // schemas on the list, as far as the options name them
	Current int // of them, those that had nothing pending
	// of them, those in which files of applied migrations were edited since, whatever [Config.Changed]
	// makes of it
	Edited  int
	Started time.Time

	Duration time.Duration

	// Stopped is why the run ended before its end, or nil.
	Stopped error
}

// Count returns how many schemas had an outcome.
func (r Report) Count(outcome Outcome) int {
	if outcome == Current {
		return r.Current
	}
	n := 0
	for _, res := range r.Results {
		if res.Outcome == outcome {
			n++
		}
	}
	return n
}

// Failed returns the results of the schemas that need somebody's attention.
func (r Report) Failed() []Result {
	var failed []Result
	for _, res := range r.Results {
		if res.Outcome.failed() {
			failed = append(failed, res)
		}
	}
	return failed
}

// Err returns nil if every schema on the list is up to date, and else why not: [ErrIncomplete],
// with the reason for which the run was stopped, if it was, or else the first failure.
func (r Report) Err() error {
	failed, left := r.Failed(), r.Count(NotStarted)
	switch {
	case r.Stopped != nil:
		return fmt.Errorf("%w: %s: %w", ErrIncomplete, r.Summary(), r.Stopped)
	case len(failed) > 0:
		return fmt.Errorf("%w: %s: the first: %w", ErrIncomplete, r.Summary(), failed[0].Err)
	case left > 0:
		return fmt.Errorf("%w: %s", ErrIncomplete, r.Summary())
	}
	return nil
}

// The exit codes of [Report.ExitCode].
const (
	// ExitOK is that every schema on the list is up to date.
	ExitOK = 0

	// ExitFailed is that a schema, the shared set, a canary's check or the run itself failed.
	ExitFailed = 1

	// ExitIncomplete is that nothing failed and schemas were not started: because of the limit, or as
	// the context ended. Run again.
	ExitIncomplete = 2
)

// ExitCode returns what a command exits with.
func (r Report) ExitCode() int {
	switch {
	case r.Err() == nil:
		return ExitOK
	case len(r.Failed()) == 0 && (r.Stopped == nil || isEnd(r.Stopped)):
		return ExitIncomplete
	}
	return ExitFailed
}

// summaryOrder is the order of the outcomes in a summary: what matters most comes first.
var summaryOrder = []Outcome{
	Failed,
	Missing,
	Dropped,
	UnknownVersion,
	OutOfOrder,
	Edited,
	BadTable,
	NotStarted,
	Migrated,
	Current,
	NewerCompatible,
	Unregistered,
}

// Summary returns the counts in words: "1 failed, 2 migrated, 997 current".
func (r Report) Summary() string {
	var parts []string
	for _, outcome := range summaryOrder {
		if n := r.Count(outcome); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	if len(parts) == 0 {
		return "no schemas"
	}
	return strings.Join(parts, ", ")
}
