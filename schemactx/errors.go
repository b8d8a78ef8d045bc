package schemactx

import (
	"errors"
	"fmt"
)

var (
	// ErrNoSchema is returned by every method of [DB] when the context carries no schema.
	// There is no default: shared work says so with [WithPublic].
	ErrNoSchema = errors.New("no schema in the context")

	// ErrSchemaMismatch is returned by every method of [Tx] when the context carries
	// another schema than the one the transaction began in.
	ErrSchemaMismatch = errors.New("transaction belongs to another schema")

	// ErrTransactionEnded is returned when a transaction was ended by a statement instead
	// of [Tx.Commit] or [Tx.Rollback]. Its connection is closed; nothing ran outside the scope.
	ErrTransactionEnded = errors.New("transaction was ended by one of its statements")

	// ErrScopeChanged is returned when a statement was of a kind that changes the session
	// it runs in: SET, RESET, DISCARD, LISTEN, transaction control and their like. Its
	// connection is closed, so that nothing of it reaches the next tenant.
	ErrScopeChanged = errors.New("statement changes the session")

	// ErrSchemaMissing is returned when the schema in the context does not exist. It wraps
	// the server's error (3F000).
	ErrSchemaMissing = errors.New("schema does not exist")

	// ErrNotProvisioned is returned when the schema's role does not exist or the login may
	// not become it (22023, 42501). It wraps the server's error.
	ErrNotProvisioned = errors.New("schema has no role that the login may take")

	// ErrTaken is returned by [Provision] and [Setup] when a schema or role of the name
	// exists and belongs to somebody else.
	ErrTaken = errors.New("name is taken")
)

// NameError says why a name cannot be a schema's. It is returned by [ValidateName] and by
// everything that takes a schema name.
type NameError struct {
	Name string // the name as given
	Rule string // the rule it breaks, as the end of a sentence: "is reserved"
}

func (e *NameError) Error() string { return fmt.Sprintf("schema name %q %s", e.Name, e.Rule) }

// ScopeError is returned when the server refused a scope before the statement ran.
type ScopeError struct {
	Schema string // the schema of the scope
	Kind   error  // ErrSchemaMissing, ErrNotProvisioned, or nil
	Err    error  // the server's or the connection's error
}

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

// The SQLSTATEs that this package acts on.
const (
	stateInvalidParameter   = "22023"
	stateInvalidSchemaName  = "3F000"
	stateInsufficientRights = "42501"
	stateProtocolViolation  = "08P01" // bind message has n result formats but query has m columns
	stateFeatureUnsupported = "0A000" // cached plan must not change result type
	stateInvalidStatement   = "26000" // prepared statement does not exist
)
