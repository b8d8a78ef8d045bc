package localpg

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNotOurs is returned by [Start] for a data directory that holds something else.
	ErrNotOurs = errors.New("not a data directory of ours")

	// ErrInUse is returned by [Start] for a data directory that another process uses.
	ErrInUse = errors.New("in use by another process")

	// ErrDiskFull is returned by [Start] for a new data directory whose file system has no room for
	// a cluster.
	ErrDiskFull = errors.New("there is no space left for the data directory")

	// ErrVersion is returned by [Start] for a cluster that none of the binaries found fits.
	ErrVersion = errors.New("no binaries of the cluster's version")

	// ErrNotEnterable is returned by [Start], run by root, for a directory that the user
	// that PostgreSQL runs as cannot enter.
	ErrNotEnterable = errors.New("cannot be entered")
)

// NoBinariesError is returned by [Start] when no PostgreSQL binaries can be had. It lists
// the places in the order in which they were looked at.
type NoBinariesError struct {
	Places []Place

	// Install is the command that installs a PostgreSQL server on this system. It is empty if no
	// command is known, or if it would not help because the binaries of one directory were asked
	// for.
	Install string
}

// Place is where binaries were looked for, and why they are not there.
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

// Unwrap returns why each place did not do.
func (e *NoBinariesError) Unwrap() []error {
	errs := make([]error, len(e.Places))
	for i, p := range e.Places {
		errs[i] = p.Err
	}
	return errs
}
