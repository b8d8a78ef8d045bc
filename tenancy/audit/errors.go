package audit

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrFull is returned by [Log.Record] if the queue is full: at once under [Drop], and when ctx
	// ends under [Block]. The entry is not logged.
	ErrFull = errors.New("audit log is full")

	// ErrClosed is returned by [Log.Record] after [Log.Close], and by [Log.Flush] if Close has lost
	// entries.
	ErrClosed = errors.New("audit log is closed")

	// ErrSpillInUse is returned by [Open] if another process uses the directory of [SpillConfig].
	ErrSpillInUse = errors.New("spill directory is in use")

	// ErrSpillFull is in [Status].Err while the spill is full.
	ErrSpillFull = errors.New("spill is full")

	// ErrTampered is wrapped by [TamperError].
	ErrTampered = errors.New("audit log was tampered with")

	// ErrNotInitialized is returned by everything that reads or writes the log if the database has no
	// tables for it in the configured schema, or lacks what a later release has added to them. Nothing
	// was changed. The error of PostgreSQL is wrapped, too, and names the schema if a table is
	// missing.
	ErrNotInitialized = errors.New("the configured schema has no audit log, or that of an earlier release: " +
		"run Manager.Init with audit.Migrations among the shared migrations (programs with the " +
		"commands of package manage: init); " +
		"if the registry is in another schema, set RegistrySchema to it")
)

// initialized wraps with [ErrNotInitialized] the error of a statement on the log that has not found
// a table, column or function (undefined_table, undefined_column, undefined_function,
// invalid_schema_name).
func initialized(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || errors.Is(err, ErrNotInitialized) {
		return err
	}
	switch pgErr.Code {
	case "42P01", "42703", "42883", "3F000":
		return fmt.Errorf("%w: %w", ErrNotInitialized, err)
	}
	return err
}

// FieldError reports an invalid input.
type FieldError struct {
	Field string // the field or parameter in snake case: "limit", "request_id", "spill.dir"
	Value string // as given, cut
	Rule  string // the rule it breaks, as the end of a sentence: "is empty"
	Err   error  // the cause, or nil
}

// Error returns field, value and rule.
func (e *FieldError) Error() string {
	text := fmt.Sprintf("audit: %s %q %s", e.Field, e.Value, e.Rule)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Err }

// LostError is returned by [Log.Close] if entries could not be stored before ctx ended.
type LostError struct {
	Entries int64 // number of lost entries
	Err     error // the cause
}

// Error returns the number of entries and the cause.
func (e *LostError) Error() string {
	return fmt.Sprintf("close audit log: %d entries are lost: %v", e.Entries, e.Err)
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }

// TamperError is returned by [Report.Err] and [PartitionMaintainer.Maintain]. It wraps
// [ErrTampered].
type TamperError struct {
	Report Report
}

// Error returns the number of problems and the first problem.
func (e *TamperError) Error() string {
	n := len(e.Report.Problems) + e.Report.More
	if n == 0 {
		return ErrTampered.Error()
	}
	return fmt.Sprintf("%v: %d problems, the first: %v", ErrTampered, n, e.Report.Problems[0])
}

// Unwrap returns [ErrTampered].
func (e *TamperError) Unwrap() error { return ErrTampered }
