package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

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
