package resolver

import (
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

var (
	// ErrAmbiguous is returned by a [Directory] for a host that is the verified domain of one tenant and, as
	// <slug>.<base>, stands for another. Neither gets it, until the domain or the slug is changed.
	ErrAmbiguous = errors.New("host stands for two tenants")

	// ErrClosed is returned by [Directory.Refresh] after [Directory.Close].
	ErrClosed = errors.New("directory is closed")

	// ErrDisagree is returned by [Keys] when two sources name different targets. Like
	// all that is wrong with a request it wraps [tenancy.ErrInvalidHost], which is answered with 400.
	ErrDisagree = fmt.Errorf("the request names two targets: %w", tenancy.ErrInvalidHost)

	// ErrKey is returned by [Keys] for a key that cannot be one: a header given twice, an escaped slug in a path. It
	// wraps [tenancy.ErrInvalidHost].
	ErrKey = fmt.Errorf("the request's key is malformed: %w", tenancy.ErrInvalidHost)
)
