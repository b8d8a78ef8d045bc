package platformuser

import (
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

var (
	// ErrNotFound is returned by a [Store] for a user that does not exist.
	ErrNotFound = errors.New("user not found")

	// ErrEmailTaken is returned by a [Store] when another user has the address, in upper or lower
	// case.
	ErrEmailTaken = errors.New("email address is taken")
)

// ConflictError is returned by [Store.Update] when the user has changed since the caller read it.
// It wraps [tenancy.ErrConflict]. Nothing was changed.
type ConflictError struct {
	Current User  // as it is now, to decide on again
	Version int64 // that the caller had read
}

// Error returns the user's id and both versions.
func (e *ConflictError) Error() string {
	return fmt.Sprintf(
		"update user %d: %v: version %d is now %d",
		e.Current.ID,
		tenancy.ErrConflict,
		e.Version,
		e.Current.Version,
	)
}

// Unwrap returns [tenancy.ErrConflict].
func (e *ConflictError) Unwrap() error { return tenancy.ErrConflict }
