package schemactx

import (
	"errors"
	"fmt"
)

var (
	// ErrNoSchema is returned by the methods of [DB] and [Tx] that run SQL when the context carries no
	// schema. There is no default: shared work says so with [WithPublic].
	ErrNoSchema = errors.New("no schema in the context")

	// ErrSchemaMismatch is returned by the methods of [Tx], but for Rollback, when the context carries
	// another schema than the one that the transaction began in.
	ErrSchemaMismatch = errors.New("transaction belongs to another schema")

	// ErrTransactionEnded is returned when a transaction was ended by a statement instead of
	// [Tx.Commit] or [Tx.Rollback], or by one that would have ended it or left its scope. It is rolled
	// back, and nothing ran outside the scope.
	ErrTransactionEnded = errors.New("transaction was ended by one of its statements")

	// ErrTxBusy is returned by the methods of [Tx] while another statement of the transaction runs or
	// has open rows.
	ErrTxBusy = errors.New("transaction is busy with another statement")

	// ErrCopy is returned for a COPY that is given as a statement, which is not sent: see
	// [DB.CopyFrom].
	ErrCopy = errors.New("COPY does not run as a statement; use CopyFrom")

	// ErrLargeObjects is what [Tx.LargeObjects] panics with.
	ErrLargeObjects = errors.New("schemactx: large objects belong to the database and to no schema")

	// ErrScopeChanged is returned for a statement that changes the session it runs in: SET, RESET,
	// DISCARD, LISTEN, transaction control and their like. Such a statement is not sent; where its
	// effect shows only afterwards, the connection is closed, so that nothing of it reaches the next
	// tenant. In a transaction it is the end: see [ErrTransactionEnded]. Savepoints in a [Tx] are no
	// such statements.
	ErrScopeChanged = errors.New("statement changes the session")

	// ErrSchemaMissing is the kind of a [ScopeError] when the schema in the context does not exist
	// (3F000). At level [Logins] a tenant that has no login either is [ErrNotProvisioned].
	// admin.Rename returns it when there is nothing to rename.
	ErrSchemaMissing = errors.New("schema does not exist")

	// ErrNotProvisioned is the kind of a [ScopeError] when the schema's role does not exist or the
	// login may not become it (22023, 42501), and at level [Logins] when the role may not log in
	// (class 28). admin.Deprovision and admin.Rename return it for a schema without a role.
	ErrNotProvisioned = errors.New("schema has no role that the login may take")

	// ErrSettingRefused is the kind of a [ScopeError] when the server refuses a setting of
	// [WithSettings] or [TxOptions]: a value that the setting cannot have (22023), a name that it does
	// not know (42704), or one that cannot be set by the login or at this time (42501, 55P02).
	// [SettingError] is such an error as well.
	ErrSettingRefused = errors.New("setting is refused")

	// ErrSettingsMismatch is returned by the methods of [Tx], but for Rollback, when the context has a
	// setting of [WithSettings] that the transaction has not: its settings are those that it began
	// with.
	ErrSettingsMismatch = errors.New("transaction has other settings")
)

// NameError says why a name cannot be a schema's. It is returned by [ValidateName] and by
// everything that takes a schema name.
type NameError struct {
	Name string // the name as given
	Rule string // the rule it breaks, as the end of a sentence: "is reserved"
}

// Error returns the name and the rule.
func (e *NameError) Error() string { return fmt.Sprintf("schema name %q %s", e.Name, e.Rule) }

// ScopeError is returned by the methods of [DB] and [Tx] when the server refused a scope. The
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
// [DB] that begin one return it before anything is sent. It is an [ErrSettingRefused].
type SettingError struct {
	Name string // as given
	Rule string // that it breaks, as the end of a sentence: "is set by the scope"
}

// Error returns the name and the rule.
func (e *SettingError) Error() string { return fmt.Sprintf("setting %q %s", e.Name, e.Rule) }

// Unwrap lets errors.Is find [ErrSettingRefused].
func (e *SettingError) Unwrap() error { return ErrSettingRefused }

// LimitError is returned by the methods of [DB] when a tenant holds as many connections as it may
// and the context ended before it gave one back.
type LimitError struct {
	Schema   string
	MaxConns int   // as in [Limits]
	Err      error // the cause of the context's end
}

// Error returns the schema, the limit and the cause.
func (e *LimitError) Error() string {
	return fmt.Sprintf("schema %q uses all of its %d connections: %v", e.Schema, e.MaxConns, e.Err)
}

// Unwrap lets errors.Is find the cause, such as [context.DeadlineExceeded].
func (e *LimitError) Unwrap() error { return e.Err }
