package localpg

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrForeignDirectory is returned by [Start] for a data directory with files that this package did
	// not create.
	ErrForeignDirectory = errors.New("not a data directory of this package")

	// ErrInUse is returned by [Start] for a data directory that another process uses.
	ErrInUse = errors.New("in use by another process")

	// ErrDiskFull is returned by [Start] for a new data directory if its file system has no space for
	// a cluster.
	ErrDiskFull = errors.New("there is no space left for the data directory")

	// ErrVersion is returned by [Start] if the found binaries are not of the version of the cluster.
	ErrVersion = errors.New("no binaries of the cluster's version")

	// ErrNotEnterable is returned by [Start], if root runs it, for a directory that PostgreSQL's user
	// cannot enter.
	ErrNotEnterable = errors.New("cannot be entered")
)

// NoBinariesError is returned by [Start] if no PostgreSQL binaries are found. It lists the places
// in the order of the search.
type NoBinariesError struct {
	Places []Place

	// Install is the command that installs a PostgreSQL server on this system. It is empty if no
	// command is known, and if BinDir or $TEST_PG_BIN names the directory of the binaries, as an
	// installation would not change that directory.
	Install string
}

// Place is a place that was searched for binaries, and the reason why it has none.
type Place struct {
	Name string
	Err  error
}

func (e *NoBinariesError) Error() string {
	var b strings.Builder
	b.WriteString("no PostgreSQL server binaries found")
	if e.Install != "" {
		fmt.Fprintf(&b, "; install them with: %s", e.Install)
	}
	b.WriteString("; looked in ")
	for i, p := range e.Places {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %v", p.Name, p.Err)
	}
	return b.String()
}

// Unwrap returns the error of each place.
func (e *NoBinariesError) Unwrap() []error {
	errs := make([]error, len(e.Places))
	for i, p := range e.Places {
		errs[i] = p.Err
	}
	return errs
}
