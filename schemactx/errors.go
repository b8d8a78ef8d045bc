package schemactx

import (
	"errors"
	"fmt"
)

var (
	// ErrNoSchema is returned by the methods of [DB] and [Tx] that run SQL if the context has no
	// schema. There is no default schema; work on shared data uses [WithPublic].
	ErrNoSchema = errors.New("no schema in the context")

	// ErrSchemaMismatch is returned by the methods of [Tx], except Rollback, if the schema of the
	// context is not that of the transaction.
	ErrSchemaMismatch = errors.New("transaction belongs to another schema")

	// ErrTransactionEnded is returned if a statement, and not [Tx.Commit] or [Tx.Rollback], has ended
	// a transaction, would have ended it, or has left its scope. The transaction is rolled back, and
	// nothing has run outside of the scope.
	ErrTransactionEnded = errors.New("transaction was ended by one of its statements")

	// ErrTxBusy is returned by the methods of [Tx] while another statement of the transaction runs or
	// has open rows.
	ErrTxBusy = errors.New("transaction is busy with another statement")

	// ErrCopy is returned for a COPY statement, which is not sent. Use [DB.CopyFrom].
	ErrCopy = errors.New("COPY does not run as a statement; use CopyFrom")

	// ErrLargeObjects is the value that [Tx.LargeObjects] panics with.
	ErrLargeObjects = errors.New("schemactx: large objects belong to the database and to no schema")

	// ErrScopeChanged is returned for a statement that changes the session: SET, RESET, DISCARD,
	// LISTEN, transaction control and similar ones. Such a statement is not sent. If its effect is
	// only noticed afterwards, the connection is closed, so that the next tenant cannot see it. In a
	// transaction the error also ends the transaction: see [ErrTransactionEnded]. Savepoint statements
	// in a [Tx] are allowed.
	ErrScopeChanged = errors.New("statement changes the session")

	// ErrSchemaMissing is the kind of a [ScopeError] if the schema of the context does not exist
	// (3F000). At level [Logins] a tenant that has no login either is [ErrNotProvisioned].
	// admin.Rename returns ErrSchemaMissing if there is nothing to rename.
	ErrSchemaMissing = errors.New("schema does not exist")

	// ErrNotProvisioned is the kind of a [ScopeError] if the schema's role does not exist or the login
	// may not take it (22023, 42501). At level [Logins] it also means that the role may not log in
	// (class 28). admin.Deprovision and admin.Rename return it for a schema without a role.
	ErrNotProvisioned = errors.New("schema has no role that the login may take")

	// ErrSettingRefused is the kind of a [ScopeError] if the server refuses a setting of
	// [WithSettings] or [TxOptions]. The value is invalid (22023), the name is unknown (42704), or the
	// setting may not or cannot be changed (42501, 55P02). Every [SettingError] is an
	// ErrSettingRefused as well.
	ErrSettingRefused = errors.New("setting is refused")

	// ErrSettingsMismatch is returned by the methods of [Tx], except Rollback, if the context has a
	// setting of [WithSettings] that the transaction does not have. A transaction keeps the settings
	// that it began with.
	ErrSettingsMismatch = errors.New("transaction has other settings")
)

// NameError says why a name is not a valid schema name. [ValidateName] returns it, and so does
// everything that takes a schema name.
type NameError struct {
	Name string // the name as given
	Rule string // the broken rule, as the end of a sentence: "is reserved"
}

// Error returns the name and the rule.
func (e *NameError) Error() string { return fmt.Sprintf("schema name %q %s", e.Name, e.Rule) }

// ScopeError is returned by the methods of [DB] and [Tx] if the server refused a scope. The
// statement did not run.
type ScopeError struct {
	Schema string // of the scope
	Kind   error  // ErrSchemaMissing, ErrNotProvisioned, ErrScopeChanged, ErrSettingRefused, or nil
	Err    error  // the server's or the connection's error
}

// Error returns the schema, the kind and the server's message.
func (e *ScopeError) Error() string {
	if e.Kind == nil {
		return fmt.Sprintf("enter schema %q: %v", e.Schema, e.Err)
	}
	return fmt.Sprintf("enter schema %q: %v: %v", e.Schema, e.Kind, e.Err)
}

// Unwrap lets errors.Is find the kind and errors.As the server's error.
func (e *ScopeError) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// SettingError says why a name or its value cannot be a setting of a unit of work. The methods of
// [DB] that begin a unit of work return it before anything is sent. It is an [ErrSettingRefused].
type SettingError struct {
	Name string // as given
	Rule string // the broken rule, as the end of a sentence: "is set by the scope"
}

// Error returns the name and the rule.
func (e *SettingError) Error() string { return fmt.Sprintf("setting %q %s", e.Name, e.Rule) }

// Unwrap lets errors.Is find [ErrSettingRefused].
func (e *SettingError) Unwrap() error { return ErrSettingRefused }

// LimitError is returned by the methods of [DB] if the context ended while a tenant with MaxConns
// connections in use waited for another one.
type LimitError struct {
	Schema   string
	MaxConns int   // as in [Limits]
	Err      error // why the context ended
}

// Error returns the schema, the limit and the cause.
func (e *LimitError) Error() string {
	return fmt.Sprintf("schema %q uses all of its %d connections: %v", e.Schema, e.MaxConns, e.Err)
}

// Unwrap lets errors.Is find the cause, such as [context.DeadlineExceeded].
func (e *LimitError) Unwrap() error { return e.Err }
