package tenancy

import (
	"errors"
	"fmt"
)

var (
	// ErrNoRetainedSchema is returned by [Manager.RetainedSchema], [Manager.ConfirmReplacement] and
	// [Manager.RevertReplacement] for a tenant without a schema of that name that its data was in
	// before.
	ErrNoRetainedSchema = errors.New("no schema of the tenant is kept aside")

	// ErrReplaced is what a [ReplacedError] wraps.
	ErrReplaced = errors.New("replacement was neither confirmed nor reverted")

	// ErrStagingLost is returned by [Staging.Adopt] and [Staging.Replace] when the schema is no longer
	// this staging's: it was adopted already, or its session had ended and somebody has swept it away.
	ErrStagingLost = errors.New("staged schema is lost")
)

// ReplacedError is returned by [Manager.StageReplacement] and [Staging.Replace] while a tenant has
// a schema aside: [Manager.ConfirmReplacement] or [Manager.RevertReplacement] comes first. It wraps
// [ErrReplaced]. Nothing was changed.
type ReplacedError struct {
	Slug     string // of the tenant
	Retained string // the name of its retained schema
}

// Error returns the tenant and the schema.
func (e *ReplacedError) Error() string {
	return fmt.Sprintf("replace the schema of tenant %q: %v: %q is kept aside", e.Slug, ErrReplaced, e.Retained)
}

// Unwrap returns [ErrReplaced].
func (e *ReplacedError) Unwrap() error { return ErrReplaced }
