package backup

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNotFound is returned by a [Store] for a file that does not exist.
	ErrNotFound = errors.New("file does not exist in the store")

	// ErrUnsupported is wrapped by an [UnsupportedError].
	ErrUnsupported = errors.New("schema has objects or rows that cannot be backed up")

	// ErrDrift is wrapped by a [DriftError].
	ErrDrift = errors.New("schema differs from what its migrations create")

	// ErrChanged is returned by [Service.Backup] if the tenant was dropped or got another schema
	// during the backup, or if its tables changed during each attempt to read them. No file is kept.
	ErrChanged = errors.New("tenant changed during the backup")

	// ErrReceipt is wrapped by a [ReceiptError].
	ErrReceipt = errors.New("archive differs from its receipt")

	// ErrVerify is wrapped by a [VerifyError].
	ErrVerify = errors.New("stored backup failed verification")
)

// UnsupportedError is returned by [Service.Backup] for a schema with objects that an archive cannot
// contain, or with rows that a restore could not load. No file is kept.
type UnsupportedError struct {
	Schema  string
	Objects []Unsupported // at least one
}

// Unsupported is one object that prevents a backup.
type Unsupported struct {
	Object string // "table prices", "column documents.scan"
	Reason string // end of a sentence: "is a foreign table"
}

func (e *UnsupportedError) Error() string {
	list := make([]string, len(e.Objects))
	for i, o := range e.Objects {
		list[i] = o.Object + " " + o.Reason
	}
	return fmt.Sprintf("schema %q: %v: %s", e.Schema, ErrUnsupported, strings.Join(list, "; "))
}

// Unwrap returns [ErrUnsupported].
func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }

// DriftError is returned by [Service.Backup] for a schema whose structure differs from what its
// applied migrations create. A restore could not load its data into the migrated structure. See
// [BackupOptions].Drift. Nothing was written.
type DriftError struct {
	Schema      string
	Differences []string // at least one: "table students: column phone is missing"
}

func (e *DriftError) Error() string {
	return fmt.Sprintf("schema %q: %v: %s", e.Schema, ErrDrift, strings.Join(e.Differences, "; "))
}

// Unwrap returns [ErrDrift].
func (e *DriftError) Unwrap() error { return ErrDrift }

// ReceiptError is returned by [Service.Check] for an archive that differs from its receipt. Either
// of the two may have been altered.
type ReceiptError struct {
	Name        string
	Differences []string // at least one: "rows: 3, in the receipt 4"
}

// Error returns the backup's name and the differences.
func (e *ReceiptError) Error() string {
	return fmt.Sprintf("backup %q: %v: %s", e.Name, ErrReceipt, strings.Join(e.Differences, "; "))
}

// Unwrap returns [ErrReceipt].
func (e *ReceiptError) Unwrap() error { return ErrReceipt }

// VerifyError is returned by [Service.Backup] if the stored file differs from what was written. The
// file was deleted unless Leftover is set.
type VerifyError struct {
	Name     string // in the store
	Leftover bool   // the file could not be deleted; it has no receipt and is therefore no backup
	Err      error  // the difference, joined with the error of the deletion
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("backup %q: %v: %v", e.Name, ErrVerify, e.Err)
}

// Unwrap returns [ErrVerify] and the cause.
func (e *VerifyError) Unwrap() []error { return []error{ErrVerify, e.Err} }
