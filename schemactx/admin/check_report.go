package admin

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnsafe is what a [CheckError] is, for errors.Is.
var ErrUnsafe = errors.New("database is not safe to serve tenants from")

// Severity says what a program should do about a [Finding].
type Severity int

const (
	// Warn is what weakens the isolation and may be deliberate: log it.
	Warn Severity = iota + 1
	// Refuse is what breaks the isolation: do not serve.
	Refuse
)

// String returns the severity in one word.
func (s Severity) String() string {
	switch s {
	case Warn:
		return "warn"
	case Refuse:
		return "refuse"
	}
	return fmt.Sprintf("severity %d", int(s))
}

// Finding is one thing that [Check] has found.
type Finding struct {
	Code     Code
	Severity Severity
	Object   string // what it is about, as SQL names it: "schema tenant_1"
	Message  string // one sentence: what is wrong and what to do
}

// String returns the finding as one line for a log.
func (f Finding) String() string { return fmt.Sprintf("%s %s: %s", f.Severity, f.Code, f.Message) }

// CheckReport is what [Check] has found. The zero value is a clean report.
type CheckReport struct {
	Findings []Finding    // in the order of the codes
	Omitted  map[Code]int // how many more there are of a code, beyond [CheckConfig.Limit]
}

// Err returns a [CheckError] with the findings to refuse, or nil if there are none.
func (r CheckReport) Err() error {
	e := &CheckError{}
	for _, f := range r.Findings {
		if f.Severity == Refuse {
			e.Findings = append(e.Findings, f)
		}
	}
	if len(e.Findings) == 0 {
		return nil
	}
	return e
}

// CheckError says why a program must not serve. It is returned by [CheckReport.Err].
type CheckError struct {
	Findings []Finding // at least one; all are of the severity Refuse
}

// Error returns the messages of the findings: a single one on the same line, several on a line
// each.
func (e *CheckError) Error() string {
	if len(e.Findings) == 1 {
		return ErrUnsafe.Error() + ": " + e.Findings[0].Message
	}
	lines := []string{ErrUnsafe.Error() + ":"}
	for _, f := range e.Findings {
		lines = append(lines, f.Message)
	}
	return strings.Join(lines, "\n  ")
}

// Unwrap lets errors.Is find [ErrUnsafe].
func (e *CheckError) Unwrap() error { return ErrUnsafe }
