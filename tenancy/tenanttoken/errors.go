package tenanttoken

import "errors"

var (
	// ErrNoTenant is returned if a required tenant is missing: see [CacheKey], [Propagator]
	// and [Signer.BindSession].
	ErrNoTenant = errors.New("no tenant")

	// ErrForeignTenant is returned for a token that was made for another tenant, or for the other kind
	// of site: for the public site where a tenant is needed, or for a tenant on the public site.
	ErrForeignTenant = errors.New("belongs to another tenant")

	// ErrBadToken is returned for a token that no key of the [Signer] has signed for that purpose: it
	// is malformed, was changed, or was made for another purpose.
	ErrBadToken = errors.New("invalid token")

	// ErrTokenExpired is returned for a genuine token after its expiry.
	ErrTokenExpired = errors.New("token has expired")
)
