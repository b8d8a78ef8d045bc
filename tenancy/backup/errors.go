package backup

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNotFound is returned by a [Store] for a file that does not exist.
	ErrNotFound = errors.New("file does not exist in the store")

	// ErrUnsupported is what an [UnsupportedError] wraps.
	ErrUnsupported = errors.New("schema has what cannot be backed up")

	// ErrDrift is what a [DriftError] wraps.
	ErrDrift = errors.New("schema is not what its migrations make")

	// ErrChanged is returned by [Service.Backup] when the tenant was dropped or got another schema meanwhile, or when its tables
	// changed each time that they were to be read. Nothing is kept.
	ErrChanged = errors.New("tenant changed while it was backed up")

	// ErrReceipt is what a [ReceiptError] wraps.
	ErrReceipt = errors.New("archive is not what its receipt says")

	// ErrVerify is what a [VerifyError] wraps.
	ErrVerify = errors.New("backup cannot be read back")
)

// UnsupportedError is returned by [Service.Backup] for a schema with objects that an archive cannot
// hold, or with rows that a restore could not load. No file is kept.
type UnsupportedError struct {
	Schema  string
	Objects []Unsupported // at least one
}

// Unsupported is one thing that is in the way.
type Unsupported struct {
	Object string // "table prices", "column documents.scan"
	Reason string // as the end of a sentence: "is a foreign table"
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

// DriftError is returned by [Service.Backup] for a schema whose structure is not what the migrations make that it has applied: a
// restore would not have where to put its data. See [BackupOptions].Drift. Nothing was written.
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

// VerifyError is returned by [Service.Backup] when the stored file is not what was written. It has been deleted, unless Left.
type VerifyError struct {
	Name     string // in the store
	Leftover bool   // it could not be deleted, and is known to be no backup by the receipt that it lacks
	Err      error  // what was wrong with it, and why it was left
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("backup %q: %v: %v", e.Name, ErrVerify, e.Err)
}

// Unwrap returns [ErrVerify] and the cause.
func (e *VerifyError) Unwrap() []error { return []error{ErrVerify, e.Err} }
