package migrate

import (
	"errors"
	"fmt"
	"strings"
)

// Outcome is the result for one schema. Its text is the one in JSON.
type Outcome string

const (
	// Current is a schema that had nothing pending, or that another runner has migrated meanwhile.
	Current Outcome = "current"

	// Behind is a schema with pending migrations. Without a version table all are pending.
	Behind Outcome = "behind"

	// Migrated is a schema whose pending migrations were applied.
	Migrated Outcome = "migrated"

	// Failed is a schema with any other error, mostly the [Error] of a statement.
	Failed Outcome = "failed"

	// NotStarted is a schema that is behind and was not changed, because the run ended before its turn
	// ([ErrNotStarted]).
	NotStarted Outcome = "not_started"

	// Missing is a name on the list for which there is no schema ([ErrSchemaMissing]).
	Missing Outcome = "missing"

	// Dropped is a schema that existed when the run began and no longer when its turn came
	// ([ErrSchemaMissing]).
	Dropped Outcome = "dropped"

	// UnknownVersion is a schema that a newer program has migrated and that this program cannot work
	// with ([ErrUnknownVersion]).
	UnknownVersion Outcome = "unknown_version"

	// NewerCompatible is a schema that a newer program has migrated and that this program can work
	// with, as the newer program has declared ([Source.CompatibleFrom]). This program may serve it.
	// Nothing is applied or undone, and it is no failure.
	NewerCompatible Outcome = "newer_compatible"

	// OutOfOrder is a schema with a pending migration that is older than an applied one
	// ([ErrOutOfOrder]).
	OutOfOrder Outcome = "out_of_order"

	// Edited is a schema with an applied migration whose file has changed since ([ErrChanged]).
	Edited Outcome = "edited"

	// BadTable is a schema whose version table is not one of goose ([TableError]).
	BadTable Outcome = "bad_table"

	// Unregistered is a schema that has a version table and is not on the list. It was forgotten, or
	// left by a process that has ended. It is reported and not changed, and it is no failure. A schema
	// that a session of this database is working on does not count: one of package migrate/drift, or
	// one that package tenancy is creating, restoring, verifying, stocking or dropping.
	Unregistered Outcome = "unregistered"
)

// String returns the outcome in words.
func (o Outcome) String() string { return strings.ReplaceAll(string(o), "_", " ") }

// failed reports whether an operator must act before the schema can be migrated.
func (o Outcome) failed() bool {
	switch o {
	case Failed, Missing, Dropped, UnknownVersion, OutOfOrder, Edited, BadTable:
		return true
	}
	return false
}

// outcomeOf returns the outcome for an error of one schema.
func outcomeOf(err error) Outcome {
	var table *TableError
	switch {
	case errors.Is(err, ErrNotStarted):
		return NotStarted
	case errors.Is(err, ErrSchemaMissing):
		return Missing
	case errors.Is(err, ErrUnknownVersion):
		return UnknownVersion
	case errors.Is(err, ErrOutOfOrder):
		return OutOfOrder
	case errors.Is(err, ErrChanged):
		return Edited
	case errors.As(err, &table):
		return BadTable
	}
	return Failed
}

var (
	// ErrNotStarted is the error, in a [Result], of a schema that was not started because the run
	// ended before its turn. The error also wraps the cause.
	ErrNotStarted = errors.New("not started")

	// ErrLimit is the cause if the run has reached [UpAllOptions.Limit].
	ErrLimit = errors.New("the run's limit of schemas is reached")

	// ErrStopAfter is the cause if the run has reached [UpAllOptions.StopAfter].
	ErrStopAfter = errors.New("too many schemas failed")
)

// OptionError is returned by [Runner.UpAll] for an invalid option. Nothing was changed.
type OptionError struct {
	Option string // the field of [UpAllOptions]
	Reason string // as the end of a sentence: "is negative"
}

func (e *OptionError) Error() string { return fmt.Sprintf("migrate: option %s %s", e.Option, e.Reason) }

// UnlistedError is returned by [Runner.UpAll] if the options name a schema that is not on the list.
// Without it a typing error would leave the schema out silently. The shared set was applied, and no
// other schema was changed.
type UnlistedError struct {
	Option string // Only or Canary
	Schema string
}

func (e *UnlistedError) Error() string {
	return fmt.Sprintf("migrate: option %s: schema %q is not on the list", e.Option, e.Schema)
}

// SharedError is returned by [Runner.UpAll] if the shared set failed. No other schema was started.
type SharedError struct {
	Err error // of [Runner.Up]
}

// Error returns the failure. If the schema does not exist, it also says to run Init.
func (e *SharedError) Error() string {
	text := fmt.Sprintf("shared migrations: %v", e.Err)
	if errors.Is(e.Err, ErrSchemaMissing) {
		text += ": run Init of package tenancy first (programs with the commands of package manage: init)"
	}
	return text
}

func (e *SharedError) Unwrap() error { return e.Err }

// CanaryError is returned by [Runner.UpAll] if a canary or [Canary.Check] failed. No other schema
// was started.
type CanaryError struct {
	Err error // of the first canary that failed, or of the check
}

func (e *CanaryError) Error() string { return fmt.Sprintf("canary: %v", e.Err) }

func (e *CanaryError) Unwrap() error { return e.Err }
