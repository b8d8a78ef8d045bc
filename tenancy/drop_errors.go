package tenancy

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrDropDisabled is returned by everything about drops unless [DropConfig].Enabled is set.
	ErrDropDisabled = errors.New("dropping tenants is disabled")

	// ErrDropToken is returned by [Manager.Drop] for a token that was not given out for this tenant
	// and this actor, or that was used. Which of these it is, is not said.
	ErrDropToken = errors.New("drop token is not valid")

	// ErrDropExpired is returned by [Manager.Drop] to who holds the right token too late, and by
	// [Manager.ApproveDrop].
	ErrDropExpired = errors.New("drop request has expired")

	// ErrDropRequest is returned by [Manager.DropRequest] and [Manager.ApproveDrop] for a request that
	// does not exist, and by the latter for one that was used.
	ErrDropRequest = errors.New("no such drop request")

	// ErrDropNotApproved is returned by [Manager.Drop] when the second pair of eyes or the [Approver]
	// has not approved.
	ErrDropNotApproved = errors.New("drop is not approved")

	// ErrSelfApproval is returned by [Manager.ApproveDrop] to who has made the request.
	ErrSelfApproval = errors.New("who requests a drop cannot approve it")

	// ErrNoFreshBackup is what a [BackupError] wraps.
	ErrNoFreshBackup = errors.New("no fresh backup")
)

// BackupError is returned by [Manager.Drop] and [Manager.ConfirmReplacement] for a tenant or a
// retained schema whose last backup is too old. Nothing was changed. It wraps [ErrNoFreshBackup].
type BackupError struct {
	Slug   string
	Schema string        // the retained schema that lacks the backup; empty: the tenant lacks it
	Last   time.Time     // the zero time: there is none
	Age    time.Duration // 0: there is none; negative: it is from the future; with Schema: when that was replaced
	MaxAge time.Duration // as in [DropConfig]
}

// Error returns the tenant and both ages.
func (e *BackupError) Error() string {
	if e.Schema != "" {
		last := "there is none"
		if !e.Last.IsZero() {
			last = fmt.Sprintf("the last one is %v older", e.Age.Round(time.Second))
		}
		return fmt.Sprintf("tenant %q has %v of its retained schema %q from at most %v before that was replaced: %s; "+
			"to have one, revert the replacement, back the tenant up, and replace it again",
			e.Slug, ErrNoFreshBackup, e.Schema, e.MaxAge, last)
	}
	if e.Last.IsZero() {
		return fmt.Sprintf("tenant %q has %v: it was never backed up, or not since its schema was replaced or renamed",
			e.Slug, ErrNoFreshBackup)
	}
	if e.Age < 0 {
		return fmt.Sprintf("tenant %q has %v: the last one was taken %v in the future: "+
			"a clock is wrong, or was when it was taken",
			e.Slug, ErrNoFreshBackup, -e.Age.Round(time.Second))
	}
	return fmt.Sprintf("tenant %q has %v: the last one is %v old, and may be %v", e.Slug, ErrNoFreshBackup,
		e.Age.Round(time.Second), e.MaxAge)
}

// Unwrap returns [ErrNoFreshBackup].
func (e *BackupError) Unwrap() error { return ErrNoFreshBackup }
