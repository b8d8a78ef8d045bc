package backup

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"
)

// Store keeps files under names of letters, digits, and the characters "-", "_", "." and "/", in which it makes no difference what the
// parts between slashes mean to it. It is safe for concurrent use, by several processes. A name that it cannot have is an error of it, and
// a file that does not exist [ErrNotFound].
type Store interface {
	// Create begins a file. Nobody finds it under its name before it is committed, and never a part of it, whatever crashes.
	// Two that have one name are an error of one of them, at the latest of its Commit: no file is ever replaced. ctx governs the upload.
	Create(ctx context.Context, name string) (Upload, error)

	// Open reads a file from its beginning. ctx governs the reading.
	Open(ctx context.Context, name string) (io.ReadCloser, error)

	// List returns the files whose names begin with prefix, by name. An error is the last element. ctx governs the listing.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Delete removes a file.
	Delete(ctx context.Context, name string) error
}

// Upload is a file on its way into a [Store]. It is for one goroutine, but that Abort may be called beside a Write to end it.
type Upload interface {
	io.Writer

	// Commit makes the file last, under its name. After an error there is no file, or, where the storage did not answer, a whole one.
	Commit() error

	// Abort takes back what was written, as far as the storage is there to do it. After Commit it does nothing.
	Abort() error
}

// Sweeper is a [Store] in which a crash can leave the beginning of a file that was never committed. [Service.Prune] has those removed that are
// older than a day, [Service.Erase] all of the tenant's.
type Sweeper interface {
	Store

	// Sweep removes what was left of files whose names begin with prefix, if nobody has written to it since before, and returns what the
	// store calls it, valid with an error too. An upload that is still going on does not end in a file then. ctx governs the sweeping.
	Sweep(ctx context.Context, prefix string, before time.Time) ([]string, error)
}

// Object is a file in a [Store].
type Object struct {
	Name    string
	Size    int64     // bytes
	ModTime time.Time // when it was committed
}

// CheckName returns an error for an invalid file name of a [Store]. A valid name consists of parts
// between slashes. A part consists of ASCII letters, digits, "-", "_" and ".", is not empty, and does
// not begin with a dot: such names are reserved for the store's own files. It is for implementations of
// [Store].
func CheckName(name string) error {
	valid := fs.ValidPath(name) && name != "."
	for _, part := range strings.Split(name, "/") {
		valid = valid && !strings.HasPrefix(part, ".")
	}
	for i := range len(name) {
		c := name[i]
		valid = valid && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_./", c) >= 0)
	}
	if !valid {
		return fmt.Errorf("backup: %q is not a valid name for a file in the store", name)
	}
	return nil
}
