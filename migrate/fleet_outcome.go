package migrate

import (
	"errors"
	"strings"
)

// Outcome is what came of one schema. Its text is what JSON has.
type Outcome string

const (
	// Current is a schema that had nothing pending, or that another runner has migrated meanwhile.
	Current Outcome = "current"

	// Behind is a schema with migrations pending, or without a version table: all is pending then.
	Behind Outcome = "behind"

	// Migrated is a schema that has got what was pending.
	Migrated Outcome = "migrated"

	// Failed is a schema with an error that is none of the others: mostly an [Error] of a statement.
	Failed Outcome = "failed"

	// NotStarted is a schema that is behind and was left alone, as the run ended before
	// ([ErrNotStarted]).
	NotStarted Outcome = "not_started"

	// Missing is a name on the list without a schema ([ErrSchemaMissing]).
	Missing Outcome = "missing"

	// Dropped is a schema that was there when the run began and was gone when its turn came
	// ([ErrSchemaMissing]).
	Dropped Outcome = "dropped"

	// UnknownVersion is a schema that a newer program has migrated, and that this one cannot work with
	// ([ErrUnknownVersion]).
	UnknownVersion Outcome = "unknown_version"

	// NewerCompatible is a schema that a newer program has migrated, which says that this one can work
	// with it ([Source.CompatibleFrom]). It is served as it is; nothing is applied or undone, and it
	// is no failure.
	NewerCompatible Outcome = "newer_compatible"

	// OutOfOrder is a schema with a pending migration that is older than what is applied
	// ([ErrOutOfOrder]).
	OutOfOrder Outcome = "out_of_order"

	// Edited is a schema in which a migration is applied whose file is another one now ([ErrChanged]).
	Edited Outcome = "edited"

	// BadTable is a schema whose version table is not one of goose ([TableError]).
	BadTable Outcome = "bad_table"

	// Unregistered is a schema with a version table that the list does not have: one that was
	// forgotten, or left by a process that is gone. It is told and not touched, and is no failure. A
	// schema that a session of this database is at work on is none: of package migrate/drift, and what
	// package tenancy makes, restores, verifies, stocks or drops.
	Unregistered Outcome = "stray"
)

// String returns the outcome in words.
func (o Outcome) String() string { return strings.ReplaceAll(string(o), "_", " ") }

// failed reports whether the schema needs somebody's attention before it can be migrated.
func (o Outcome) failed() bool {
	switch o {
	case Failed, Missing, Dropped, UnknownVersion, OutOfOrder, Edited, BadTable:
		return true
	}
	return false
}

// outcomeOf returns the outcome that an error of one schema is.
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
