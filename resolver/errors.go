package resolver

import "errors"

var (
	// ErrAmbiguous is returned by a [Directory] for a host that is the verified domain of one tenant and, as
	// <slug>.<base>, stands for another. Neither gets it, until the domain or the slug is changed.
	ErrAmbiguous = errors.New("host stands for two tenants")

	// ErrClosed is returned by [Directory.Refresh] after [Directory.Close].
	ErrClosed = errors.New("directory is closed")
)
