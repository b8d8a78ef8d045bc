package backup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

var (
	// ErrVersions is what a [VersionsError] wraps.
	ErrVersions = errors.New("made by other migrations than the program has")

	// ErrMismatch is what a [MismatchError] wraps.
	ErrMismatch = errors.New("archive does not fit the schema that its migrations make")

	// ErrRows is what a [RowsError] wraps.
	ErrRows = errors.New("rows do not fit the schema")

	// ErrOtherTenant is what an [OtherTenantError] wraps.
	ErrOtherTenant = errors.New("archive is of another tenant")

	// ErrContent is what a [ContentError] wraps.
	ErrContent = errors.New("restored content is not that of the archive")
)

// VersionsError is returned by a restore of an archive, and by a backup or clone of a tenant, whose migrations the program does not
// have, or has otherwise where that is refused. It wraps [ErrVersions], and [migrate.ErrUnknownVersion] or
// [migrate.ErrChanged], whichever it is. Nothing was changed.
type VersionsError struct {
	Unknown []archive.Migration // that no source has: a newer program has applied them
	Edited  []archive.Migration // that were applied from another file than the sources have, see [RestoreOptions].Edited
}

// Error returns the versions.
func (e *VersionsError) Error() string {
	var parts []string
	for what, list := range map[string][]archive.Migration{"unknown": e.Unknown, "edited since": e.Edited} {
		if len(list) > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", what, versionList(list)))
		}
	}
	return ErrVersions.Error() + ": " + strings.Join(parts, "; ")
}

func versionList(list []archive.Migration) string {
	texts := make([]string, min(len(list), 10))
	for i := range texts {
		texts[i] = fmt.Sprintf("%q/%d", list[i].Source, list[i].Version)
	}
	return strings.Join(texts, ", ")
}

// Unwrap returns [ErrVersions] and the errors of package migrate.
func (e *VersionsError) Unwrap() []error {
	all := []error{ErrVersions}
	if len(e.Unknown) > 0 {
		all = append(all, migrate.ErrUnknownVersion)
	}
	if len(e.Edited) > 0 {
		all = append(all, migrate.ErrChanged)
	}
	return all
}

// MismatchError is returned by a restore of an archive that has other tables, columns or sequences than its migrations make. It
// wraps [ErrMismatch]. Nothing was changed.
type MismatchError struct {
	Differences []string // at least one: `table "grades": column "secret" is in the archive alone`
}

// Error returns the differences, of which it names ten at most.
func (e *MismatchError) Error() string {
	named, more := e.Differences, ""
	if len(named) > 10 {
		named, more = named[:10], fmt.Sprintf("; and %d more", len(named)-10)
	}
	return fmt.Sprintf("%v: %s%s", ErrMismatch, strings.Join(named, "; "), more)
}

// Unwrap returns [ErrMismatch].
func (e *MismatchError) Unwrap() error { return ErrMismatch }

// RowsError is returned by a restore when the server refuses what the archive says: a value that is none of its column's type, a row
// that breaks a constraint, a sequence's number that is out of its range. It wraps [ErrRows]. What was there is untouched.
type RowsError struct {
	Table  string // or sequence
	Object string // the constraint that is broken, if it is one
	Err    error  // the server's
}

// Error returns the table, the constraint and the server's message.
func (e *RowsError) Error() string {
	if e.Object != "" {
		return fmt.Sprintf("table %q: %v: constraint %q: %v", e.Table, ErrRows, e.Object, e.Err)
	}
	return fmt.Sprintf("table %q: %v: %v", e.Table, ErrRows, e.Err)
}

// Unwrap returns [ErrRows] and the server's error.
func (e *RowsError) Unwrap() []error { return []error{ErrRows, e.Err} }

// OtherTenantError is returned by a restore of one tenant's archive over another tenant, see [RestoreOptions].AnyTenant. It wraps
// [ErrOtherTenant]. Nothing was changed.
type OtherTenantError struct {
	Slug   string         // of the tenant whose data was to be replaced
	Tenant archive.Tenant // whose archive it is
}

// Error returns both tenants.
func (e *OtherTenantError) Error() string {
	return fmt.Sprintf("restore over tenant %q: %v: %q, id %d", e.Slug, ErrOtherTenant, e.Tenant.Slug, e.Tenant.ID)
}

// Unwrap returns [ErrOtherTenant].
func (e *OtherTenantError) Unwrap() error { return ErrOtherTenant }

// ContentError is returned by a restore when what was read back of a table is not what the archive has, so that it must not be
// used. It wraps [ErrContent]. What was there is untouched.
type ContentError struct {
	Table  string // or sequence; empty: the schema as a whole
	Reason string // as the end of a sentence: "has 3 rows, not 4"
}

// Error returns the table and the reason.
func (e *ContentError) Error() string {
	if e.Table == "" {
		return fmt.Sprintf("%v: %s", ErrContent, e.Reason)
	}
	return fmt.Sprintf("%v: %q %s", ErrContent, e.Table, e.Reason)
}

// Unwrap returns [ErrContent].
func (e *ContentError) Unwrap() error { return ErrContent }
