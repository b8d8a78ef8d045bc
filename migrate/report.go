package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Report is the result of a run over many schemas.
type Report struct {
	// Results has each schema that was not current when it was read, in the order of the list: the
	// migrated, the failed, those not started. Unregistered schemas are at the end. The shared set,
	// with the name of its schema, is in front if it was not current.
	Results []Result

	Listed  int // schemas on the list that the options include
	Current int // of these, the schemas that had nothing pending
	// Edited is the number of schemas on the list in which files of applied migrations were edited
	// since, with either value of [Config.Changed].
	Edited  int
	Started time.Time

	Duration time.Duration

	// Stopped is why the run stopped early, or nil.
	Stopped error
}

// Count returns how many schemas have the outcome.
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

// Failed returns the results of the schemas that an operator must look at.
func (r Report) Failed() []Result {
	var failed []Result
	for _, res := range r.Results {
		if res.Outcome.failed() {
			failed = append(failed, res)
		}
	}
	return failed
}

// Err returns nil if every schema on the list is up to date. Otherwise it returns an error that
// wraps [ErrIncomplete] and the reason why the run stopped early, or else the first failure.
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
	// ExitOK means that every schema on the list is up to date.
	ExitOK = 0

	// ExitFailed means that a schema, the shared set, the check of the canaries or the run itself
	// failed.
	ExitFailed = 1

	// ExitIncomplete means that nothing failed, but schemas were not started because of the limit or
	// because the context ended. Run again.
	ExitIncomplete = 2
)

// ExitCode returns the exit code for a command.
func (r Report) ExitCode() int {
	switch {
	case r.Err() == nil:
		return ExitOK
	case len(r.Failed()) == 0 && (r.Stopped == nil || isEnd(r.Stopped)):
		return ExitIncomplete
	}
	return ExitFailed
}

// summaryOrder is the order of the outcomes in a summary, the most important ones first.
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

// isEnd reports whether the caller has ended the run, by its context or a limit, and not a failure.
func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrLimit)
}

// MarshalJSON returns the report as an object with the fields ok, exit_code, started, seconds,
// listed, edited, counts (by [Outcome]) and results, and stopped if the run stopped early. These
// names are stable.
func (r Report) MarshalJSON() ([]byte, error) {
	counts := make(map[Outcome]int)
	for _, outcome := range summaryOrder {
		counts[outcome] = r.Count(outcome)
	}
	doc := struct {
		OK       bool            `json:"ok"`
		ExitCode int             `json:"exit_code"`
		Started  time.Time       `json:"started"`
		Seconds  float64         `json:"seconds"`
		Listed   int             `json:"listed"`
		Edited   int             `json:"edited"`
		Counts   map[Outcome]int `json:"counts"`
		Stopped  string          `json:"stopped,omitempty"`
		Results  []Result        `json:"results"`
	}{r.Err() == nil, r.ExitCode(), r.Started, r.Duration.Seconds(), r.Listed, r.Edited, counts, "", r.Results}
	if doc.Results == nil {
		doc.Results = []Result{}
	}
	if r.Stopped != nil {
		doc.Stopped = r.Stopped.Error()
	}
	return json.Marshal(doc)
}

// resultError is the JSON form of an error. Fields that are not known are left out.
type resultError struct {
	Message   string `json:"message"`
	Source    string `json:"source,omitempty"`
	File      string `json:"file,omitempty"`
	Version   int64  `json:"version,omitempty"`
	Direction string `json:"direction,omitempty"`
	Statement int    `json:"statement,omitempty"`
	Line      int    `json:"line,omitempty"`
	SQLState  string `json:"sqlstate,omitempty"`
}

// MarshalJSON returns the result as an object with the fields schema, outcome, from, to, applied,
// undone and seconds. For an error it also has the field error, with message, source, file,
// version, direction, statement, line and sqlstate. These names are stable.
func (res Result) MarshalJSON() ([]byte, error) {
	doc := struct {
		Schema  string       `json:"schema"`
		Outcome Outcome      `json:"outcome"`
		From    int64        `json:"from"`
		To      int64        `json:"to"`
		Applied []int64      `json:"applied,omitempty"`
		Undone  []int64      `json:"undone,omitempty"`
		Seconds float64      `json:"seconds"`
		Error   *resultError `json:"error,omitempty"`
	}{
		Schema: res.Schema, Outcome: res.Outcome, From: res.From, To: res.To,
		Applied: res.Applied, Undone: res.Undone, Seconds: res.Duration.Seconds(),
	}
	if res.Err != nil {
		doc.Error = &resultError{Message: res.Err.Error()}
		var failure *Error
		if errors.As(res.Err, &failure) {
			doc.Error.Source, doc.Error.File, doc.Error.Version = failure.Source, failure.File, failure.Version
			doc.Error.Direction, doc.Error.Statement, doc.Error.Line = string(failure.Direction), failure.Statement, failure.Line
		}
		var state interface{ SQLState() string }
		if errors.As(res.Err, &state) {
			doc.Error.SQLState = state.SQLState()
		}
	}
	return json.Marshal(doc)
}
