package backup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

var (
	// ErrVersions is wrapped by a [VersionsError].
	ErrVersions = errors.New("migrations differ from the program's")

	// ErrMismatch is wrapped by a [MismatchError].
	ErrMismatch = errors.New("archive does not fit the schema that its migrations create")

	// ErrRows is wrapped by a [RowsError].
	ErrRows = errors.New("rows do not fit the schema")

	// ErrOtherTenant is wrapped by an [OtherTenantError].
	ErrOtherTenant = errors.New("archive belongs to another tenant")

	// ErrContent is wrapped by a [ContentError].
	ErrContent = errors.New("restored content differs from the archive")
)

// VersionsError is returned by a restore, a backup or a clone if the program lacks applied
// migrations, or has edited files for them and the policy refuses that. It wraps [ErrVersions] and,
// as applicable, [migrate.ErrUnknownVersion] and [migrate.ErrChanged]. Nothing was changed.
type VersionsError struct {
	Unknown []archive.Migration // in no source: a newer program applied them
	Edited  []archive.Migration // applied from a file that was edited since, see [RestoreOptions].Edited
}

// Error lists the versions.
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

// MismatchError is returned by a restore of an archive whose tables, columns or sequences differ
// from those that its migrations create. It wraps [ErrMismatch]. Nothing was changed.
type MismatchError struct {
	Differences []string // at least one: `table "grades": column "secret" is only in the archive`
}

// Error lists at most ten of the differences.
func (e *MismatchError) Error() string {
	named, more := e.Differences, ""
	if len(named) > 10 {
		named, more = named[:10], fmt.Sprintf("; and %d more", len(named)-10)
	}
	return fmt.Sprintf("%v: %s%s", ErrMismatch, strings.Join(named, "; "), more)
}

// Unwrap returns [ErrMismatch].
func (e *MismatchError) Unwrap() error { return ErrMismatch }

// RowsError is returned by a restore if the server refuses the archive's data: a value that is
// invalid for its column's type, a row that violates a constraint, a sequence value out of range.
// It wraps [ErrRows]. Existing data is unchanged.
type RowsError struct {
	Table  string // or sequence
	Object string // the violated constraint, if any
	Err    error  // error of the server
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

// OtherTenantError is returned by a restore of one tenant's archive over another tenant, see
// [RestoreOptions].AnyTenant. It wraps [ErrOtherTenant]. Nothing was changed.
type OtherTenantError struct {
	Slug   string         // RestoreOptions.Replace
	Tenant archive.Tenant // tenant in the archive
}

// Error returns both tenants.
func (e *OtherTenantError) Error() string {
	return fmt.Sprintf("restore over tenant %q: %v: %q with id %d: set AnyTenant to restore it anyway",
		e.Slug, ErrOtherTenant, e.Tenant.Slug, e.Tenant.ID)
}

// Unwrap returns [ErrOtherTenant].
func (e *OtherTenantError) Unwrap() error { return ErrOtherTenant }

// ContentError is returned by a restore if what was read back of a table differs from the archive,
// so that the schema must not be used. It wraps [ErrContent]. Existing data is unchanged.
type ContentError struct {
	Table  string // or sequence; empty: the schema as a whole
	Reason string // end of a sentence: "has 3 rows, not 4"
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
