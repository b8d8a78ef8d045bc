package admin

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnsafe is the error that errors.Is finds in a [CheckError].
var ErrUnsafe = errors.New("database is not safe to serve tenants from")

// Severity says what a program should do about a [Finding].
type Severity int

const (
	// Warn is a finding that weakens the isolation and may be deliberate: log it.
	Warn Severity = iota + 1
	// Refuse is a finding that breaks the isolation: do not serve requests.
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

// Finding is a privilege, attribute or object that [Check] reports.
type Finding struct {
	Code     Code
	Severity Severity
	Object   string // as SQL names it: "schema tenant_1"
	Message  string // one sentence: what is wrong and how to correct it
}

// String returns the finding as one line for a log.
func (f Finding) String() string { return fmt.Sprintf("%s %s: %s", f.Severity, f.Code, f.Message) }

// CheckReport is the result of [Check]. The zero value is a report without findings.
type CheckReport struct {
	Findings []Finding    // in the order of the codes
	Omitted  map[Code]int // the number of findings of a code beyond [CheckConfig.Limit]
}

// Err returns a [CheckError] with the findings whose severity is Refuse, or nil if there are none.
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

// CheckError says why a program must not serve requests. [CheckReport.Err] returns it.
type CheckError struct {
	Findings []Finding // at least one; the severity of all is Refuse
}

// Error returns the messages of the findings: one message on the same line, several on a line each.
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
