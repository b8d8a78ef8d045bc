package migrate

import (
	"errors"
	"fmt"
)

var (
	// ErrSchemaMissing is returned for a schema that does not exist. Migrations never make one.
	ErrSchemaMissing = errors.New("schema does not exist")

	// ErrUnknownVersion is returned when the schema has a version that no source has: a newer
	// program was here before. Nothing was applied.
	ErrUnknownVersion = errors.New("schema has a version that the sources do not")

	// ErrOutOfOrder is returned when a pending version is older than one of the same source
	// that is applied. Nothing was applied.
	ErrOutOfOrder = errors.New("migration is older than what is applied")

	// ErrIncomplete is returned by [Runner.UpAll] when schemas failed or were not started.
	// The report says which.
	ErrIncomplete = errors.New("not every schema is up to date")
)

// ParseError is returned by [New] for a file that is not a migration.
type ParseError struct {
	Source string // the source's name
	File   string
	Line   int    // 1-based; 0 when the file as a whole is meant
	Reason string // as the end of a sentence: "has no Up section"
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("migration %s/%s %s", e.Source, e.File, e.Reason)
	}
	return fmt.Sprintf("migration %s/%s:%d: %s", e.Source, e.File, e.Line, e.Reason)
}

// Error is returned when the server refused a statement of a migration. The migrations of
// its transaction have been rolled back.
type Error struct {
	Schema    string
	Source    string
	File      string
	Version   int64
	Statement int   // 1-based, within the file's section
	Line      int   // 1-based, where the statement begins
	Err       error // the server's error, a *pgconn.PgError, or the connection's
}

func (e *Error) Error() string {
	return fmt.Sprintf("migrate schema %q: %s/%s:%d: statement %d: %v", e.Schema, e.Source, e.File, e.Line, e.Statement, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
