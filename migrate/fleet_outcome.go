package migrate

import (
	"errors"
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
	Unregistered Outcome = "stray"
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
