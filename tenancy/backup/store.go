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

// Store stores files under names that [CheckName] accepts. A slash in a name has no meaning to the
// store. Implementations are safe for concurrent use by several processes. They return an error for
// a name that they cannot use, and [ErrNotFound] for a file that does not exist.
type Store interface {
	// Create starts a file. The file is visible under its name only after Commit, and only as a whole,
	// whatever crashes. If two uploads use one name, one of them fails, at the latest in Commit: no
	// file is ever replaced. ctx governs the upload.
	Create(ctx context.Context, name string) (Upload, error)

	// Open reads a file from its beginning. ctx governs the reading.
	Open(ctx context.Context, name string) (io.ReadCloser, error)

	// List yields the files whose names begin with prefix, ordered by name. An error is the last
	// element. ctx governs the listing.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Delete deletes a file.
	Delete(ctx context.Context, name string) error
}

// Upload is a file that is being written to a [Store]. It is for one goroutine, except that Abort
// may be called during a Write to end it.
type Upload interface {
	io.Writer

	// Commit makes the file durable and visible under its name. After an error the file does not exist
	// or, if the storage did not answer, exists as a whole.
	Commit() error

	// Abort deletes what was written, if the storage is reachable. After Commit it does nothing.
	Abort() error
}

// Sweeper is a [Store] in which a crash can leave unfinished files. [Service.Prune] sweeps those
// that are older than a day, [Service.Erase] all of the tenant's.
type Sweeper interface {
	Store

	// Sweep deletes unfinished files whose names begin with prefix and that were last written to
	// before the given time. It returns the store's names of them, which are valid with an error too.
	// Afterwards such an upload cannot commit, even if it is still running. ctx governs the sweep.
	Sweep(ctx context.Context, prefix string, before time.Time) ([]string, error)
}

// Object describes a file in a [Store].
type Object struct {
	Name    string
	Size    int64     // bytes
	ModTime time.Time // time of the commit
}

// CheckName returns an error for an invalid file name of a [Store]. A valid name consists of parts
// between slashes. A part consists of ASCII letters, digits, "-", "_" and ".", is not empty, and
// does not begin with a dot: such names are reserved for the store's own files. It is for
// implementations of [Store].
func CheckName(name string) error {
	valid := fs.ValidPath(name) && name != "."
	for _, part := range strings.Split(name, "/") {
		valid = valid && !strings.HasPrefix(part, ".")
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		valid = valid && (letter || c >= '0' && c <= '9' || strings.IndexByte("-_./", c) >= 0)
	}
	if !valid {
		return fmt.Errorf("backup: %q is not a valid name for a file in the store", name)
	}
	return nil
}
