package migrate

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrSchemaMissing is returned for a schema that does not exist. Migrations never create one.
	ErrSchemaMissing = errors.New("schema does not exist")

	// ErrUnknownVersion is returned if the schema has a version that no source has, because a newer
	// program has migrated it. Nothing was applied.
	ErrUnknownVersion = errors.New("schema has a version that the sources do not")

	// ErrOutOfOrder is returned if a pending version is older than an applied one of the same source.
	// Nothing was applied.
	ErrOutOfOrder = errors.New("migration is older than what is applied")

	// ErrChanged is returned if [Config.Changed] is [Refuse] and the file of an applied migration has
	// changed since. Nothing was changed. [Runner.Accept] accepts the new file.
	ErrChanged = errors.New("migration was edited after it was applied")

	// ErrNoDown is returned if a migration to be undone has no Down section or function. Nothing was
	// undone.
	ErrNoDown = errors.New("migration has no Down")

	// ErrNoMigration is returned if the caller names a version that no source has.
	ErrNoMigration = errors.New("no source has the version")

	// ErrVersioned is returned by [Runner.Baseline] for a schema in which another version is applied.
	// Nothing was recorded.
	ErrVersioned = errors.New("schema has versions already")

	// ErrNeedsSession is returned for a migration without a transaction if the lock is [LockTable].
	// Nothing was changed.
	ErrNeedsSession = errors.New("migration without a transaction needs a session")

	// ErrTransactionEnded is returned, in an [Error], if a Go migration has ended the transaction that
	// it runs in. What it has committed stays, but its version is not recorded.
	ErrTransactionEnded = errors.New("migration ended its transaction")

	// ErrLocked is returned if another runner has held the schema's lock for longer than
	// [Config.LockTimeout] on each try. Nothing was changed since the first of these tries. A role
	// that cannot run migrations cannot block a runner, see [LockAdvisory].
	ErrLocked = errors.New("another runner has the lock")

	// ErrIncomplete is returned by [Runner.UpAll] if schemas failed or were not started. The report
	// lists them.
	ErrIncomplete = errors.New("not every schema is up to date")
)

// ParseError is returned by [New] for a file or function that is not a migration, or that conflicts
// with another migration.
type ParseError struct {
	Source string // the source's name
	File   string
	Line   int    // 1-based; 0 for the file as a whole or for a function
	Reason string // as the end of a sentence: "has no Up section"
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("migration %s/%s %s", e.Source, e.File, e.Reason)
	}
	return fmt.Sprintf("migration %s/%s:%d: %s", e.Source, e.File, e.Line, e.Reason)
}

// PanicError is returned, in an [Error], if a Go migration panicked. The migration counts as one
// that returned an error.
type PanicError struct {
	Value any    // value of the panic
	Stack []byte // stack of the function, from runtime/debug.Stack
}

// Error returns the value.
func (e *PanicError) Error() string { return fmt.Sprintf("panicked: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errGoexit is the error of a Go migration that ended its goroutine, as testing.T.FailNow does.
var errGoexit = errors.New("ended its goroutine (runtime.Goexit) instead of returning")

// Error is returned if a statement or a function of a migration failed. Its transaction was rolled
// back.
type Error struct {
	Schema    string
	Source    string
	File      string // for a function: the name that a file of it would have
	Version   int64
	Direction Direction
	Statement int   // 1-based, within the file's section; 0 for a function
	Line      int   // 1-based, where the statement begins; 0 for a function
	Err       error // from the server (*pgconn.PgError), the connection or the function
}

// Error returns the schema, the place in the file and the server's message. Where it is known, it
// adds what to do.
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

// noTransactionRoutine is the function of PostgreSQL that refuses statements such as CREATE INDEX
// CONCURRENTLY in a transaction. Its SQLSTATE, 25001, is used for other errors too.
const noTransactionRoutine = "PreventInTransactionBlock"

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// SQLState returns the server's code for the error, or the empty string if the error is not from
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
	Err    error // the server's error
}

func (e *TableError) Error() string {
	return fmt.Sprintf("version table %s.%s is not one of goose: %v", e.Schema, e.Table, e.Err)
}

func (e *TableError) Unwrap() error { return e.Err }

// DjangoError is returned by [Runner.BaselineDjango] for a schema in another state than the wanted
// one. Nothing was recorded.
type DjangoError struct {
	Schema, App string
	Want, Got   string // the migrations applied last; empty: none
}

func (e *DjangoError) Error() string {
	return fmt.Sprintf("schema %q: Django's app %q is at %q, not at %q", e.Schema, e.App, e.Got, e.Want)
}
