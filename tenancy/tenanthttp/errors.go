package tenanthttp

import "errors"

var (
	// ErrNoSite is the reason of a [Refusal] on the wrong kind of site, see [RequireTenant],
	// [RequirePublic] and [Routes].
	ErrNoSite = errors.New("no such site")

	// ErrNoSession is the reason of a [Refusal] by [RequireSession] of a request without a token.
	ErrNoSession = errors.New("no session")
)
