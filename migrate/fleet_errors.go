package migrate

import (
	"errors"
	"fmt"
)

var (
	// ErrNotStarted is the error, in a [Result], of a schema that was not started because the run
	// ended before its turn. The error also wraps the cause.
	ErrNotStarted = errors.New("not started")

	// ErrLimit is the cause if the run has reached [UpAllOptions.Limit].
	ErrLimit = errors.New("the run's limit of schemas is reached")

	// ErrStopAfter is the cause if the run has reached [UpAllOptions.StopAfter].
	ErrStopAfter = errors.New("too many schemas failed")
)

// OptionError is returned by [Runner.UpAll] for an invalid option. Nothing was changed.
type OptionError struct {
	Option string // the field of [UpAllOptions]
	Reason string // as the end of a sentence: "is negative"
}

func (e *OptionError) Error() string { return fmt.Sprintf("migrate: option %s %s", e.Option, e.Reason) }

// UnlistedError is returned by [Runner.UpAll] if the options name a schema that is not on the list.
// Without it a typing error would leave the schema out silently. The shared set was applied, and no
// other schema was changed.
type UnlistedError struct {
	Option string // Only or Canary
	Schema string
}

func (e *UnlistedError) Error() string {
	return fmt.Sprintf("migrate: option %s: schema %q is not on the list", e.Option, e.Schema)
}

// SharedError is returned by [Runner.UpAll] if the shared set failed. No other schema was started.
type SharedError struct {
	Err error // of [Runner.Up]
}

// Error returns the failure. If the schema does not exist, it also says to run Init.
func (e *SharedError) Error() string {
	text := fmt.Sprintf("shared migrations: %v", e.Err)
	if errors.Is(e.Err, ErrSchemaMissing) {
		text += ": run Init of package tenancy first (programs with the commands of package manage: init)"
	}
	return text
}

func (e *SharedError) Unwrap() error { return e.Err }

// CanaryError is returned by [Runner.UpAll] if a canary or [Canary.Check] failed. No other schema
// was started.
type CanaryError struct {
	Err error // of the first canary that failed, or of the check
}

func (e *CanaryError) Error() string { return fmt.Sprintf("canary: %v", e.Err) }

func (e *CanaryError) Unwrap() error { return e.Err }
