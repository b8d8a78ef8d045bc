package migrate

import (
	"errors"
	"fmt"
)

var (
	// ErrNotStarted is the error, in a [Result], of a schema that was left alone because the run ended
	// before. The cause is wrapped with it.
	ErrNotStarted = errors.New("not started")

	// ErrLimit is the cause when a run ended at [UpAllOptions.Limit].
	ErrLimit = errors.New("the run's limit of schemas is reached")

	// ErrStopAfter is the cause when a run ended at [UpAllOptions.StopAfter].
	ErrStopAfter = errors.New("too many schemas failed")
)

// OptionError is returned by [Runner.UpAll] for an option that makes no sense. Nothing was changed.
type OptionError struct {
	Option string // the field of [UpAllOptions]
	Reason string // as the end of a sentence: "is negative"
}

func (e *OptionError) Error() string { return fmt.Sprintf("migrate: option %s %s", e.Option, e.Reason) }

// UnlistedError is returned by [Runner.UpAll] when a schema that the options name is not on the
// list: a typing error would else leave it out without a word. The shared set was applied; no other
// schema was changed.
type UnlistedError struct {
	Option string // Only or Canary
	Schema string
}

func (e *UnlistedError) Error() string {
	return fmt.Sprintf("migrate: option %s: schema %q is not on the list", e.Option, e.Schema)
}

// SharedError is returned by [Runner.UpAll] when the shared set failed. Nothing else was started.
type SharedError struct {
	Err error // as of [Runner.Up]
}

// Error returns what failed, and says to run Init where the schema is missing.
func (e *SharedError) Error() string {
	text := fmt.Sprintf("shared migrations: %v", e.Err)
	if errors.Is(e.Err, ErrSchemaMissing) {
		text += ": run Init of package tenancy first (programs with the commands of package manage: init)"
	}
	return text
}

func (e *SharedError) Unwrap() error { return e.Err }

// CanaryError is returned by [Runner.UpAll] when a canary failed, or [Canary.Check] did. Nothing
// else was started.
type CanaryError struct {
	Err error // of the first canary that failed, or of the check
}

func (e *CanaryError) Error() string { return fmt.Sprintf("canary: %v", e.Err) }

func (e *CanaryError) Unwrap() error { return e.Err }
