package migrate

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
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

	// ErrChanged is returned, where [Config.Changed] is [Refuse], when the file of an applied
	// migration is another one now. Nothing was changed. [Runner.Accept] says that the new file is
	// right.
	ErrChanged = errors.New("migration was edited after it was applied")

	// ErrNoDown is returned when a migration is to be undone that has no Down section or function.
	// Nothing was undone.
	ErrNoDown = errors.New("migration has no Down")

	// ErrNoMigration is returned for a version, given by the caller, that no source has.
	ErrNoMigration = errors.New("no source has the version")

	// ErrVersioned is returned by [Runner.Baseline] for a schema in which something else is applied.
	// Nothing was written.
	ErrVersioned = errors.New("schema has versions already")

	// ErrNeedsSession is returned for a migration without a transaction under [LockTable]. Nothing
	// was changed.
	ErrNeedsSession = errors.New("migration without a transaction needs a session")

	// ErrTransactionEnded is returned, in an [Error], when a Go migration ended the transaction that
	// it ran in. What it committed stays, though its version is not written down.
	ErrTransactionEnded = errors.New("migration ended its transaction")

	// ErrLocked is returned when another runner has had the schema's lock for longer than
	// [Config.LockTimeout], each time that it was asked for. Nothing was changed since. A role that
	// cannot run migrations takes no lock from a runner, see [LockAdvisory].
	ErrLocked = errors.New("another runner has the lock")

	// ErrIncomplete is returned by [Runner.UpAll] when schemas failed or were not started.
	// The report says which.
	ErrIncomplete = errors.New("not every schema is up to date")
)

// ParseError is returned by [New] for a file or function that is not a migration, or does not fit
// the others.
type ParseError struct {
	Source string // the source's name
	File   string
	Line   int    // 1-based; 0 when the file as a whole, or a function, is meant
	Reason string // as the end of a sentence: "has no Up section"
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("migration %s/%s %s", e.Source, e.File, e.Reason)
	}
	return fmt.Sprintf("migration %s/%s:%d: %s", e.Source, e.File, e.Line, e.Reason)
}

// PanicError is returned, in an [Error], when a Go migration panicked. The migration is treated as
// one that returned an error.
type PanicError struct {
	Value any    // of the panic
	Stack []byte // of the function, as runtime/debug.Stack has it
}

// Error returns the value.
func (e *PanicError) Error() string { return fmt.Sprintf("panicked: %v", e.Value) }

// Unwrap returns the value where it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errGoexit is the error of a Go migration that ended its goroutine, as testing.T.FailNow does.
var errGoexit = errors.New("ended its goroutine (runtime.Goexit) instead of returning")

// Error is returned when a statement or a function of a migration failed. Its transaction was
// rolled back.
type Error struct {
	Schema    string
	Source    string
	File      string // for a function: what its file would be called
	Version   int64
	Direction Direction
	Statement int   // 1-based, within the file's section; 0 for a function
	Line      int   // 1-based, where the statement begins; 0 for a function
	Err       error // the server's error, a *pgconn.PgError, the connection's, or the function's
}

// Error returns the schema, the place in the file, the server's message, and what to do where that
// is known.
func (e *Error) Error() string {
	if e.Statement == 0 {
		return fmt.Sprintf("migrate schema %q %s: %s/%s: %v", e.Schema, e.Direction, e.Source, e.File, e.Err)
	}
	text := fmt.Sprintf(
		"migrate schema %q %s: %s/%s:%d: statement %d: %v",
		e.Schema,
		e.Direction,
		e.Source,
		e.File,
		e.Line,
		e.Statement,
		e.Err,
	)
	var pgErr *pgconn.PgError
	if errors.As(e.Err, &pgErr) && pgErr.Routine == noTransactionRoutine {
		text += ": make it a statement of its own in a file with the annotation NO TRANSACTION"
	}
	return text
}

// noTransactionRoutine is PostgreSQL's function that refuses a statement in a transaction, such as
// CREATE INDEX CONCURRENTLY. Its SQLSTATE, 25001, is that of other errors too.
const noTransactionRoutine = "PreventInTransactionBlock"

// Unwrap lets errors.Is and errors.As find the cause.
func (e *Error) Unwrap() error { return e.Err }

// SQLState returns the server's code for the error, or the empty string where it did not come from
// the server.
func (e *Error) SQLState() string {
	var pgErr *pgconn.PgError
	if errors.As(e.Err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

// TableError is returned for a version table that does not have the columns of goose's. Nothing was
// changed.
type TableError struct {
	Schema string
	Table  string
	Err    error // the server's
}

func (e *TableError) Error() string {
	return fmt.Sprintf("version table %s.%s is not one of goose: %v", e.Schema, e.Table, e.Err)
}

func (e *TableError) Unwrap() error { return e.Err }

// DjangoError is returned by [Runner.BaselineDjango] for a schema that is not where it should be.
// Nothing was written.
type DjangoError struct {
	Schema, App string
	Want, Got   string // the migrations applied last; empty for none
}

func (e *DjangoError) Error() string {
	return fmt.Sprintf("schema %q: Django's app %q is at %q, not at %q", e.Schema, e.App, e.Got, e.Want)
}
