// Package tenanttoken binds sessions, jobs, calls of other services and cached values to one
// tenant.
//
//	signer, err := tenanttoken.NewSigner(key)
//	token, err := signer.BindSession(ctx, session, 12*time.Hour)
//
// # Tokens
//
// A [Signer] signs and verifies tokens with HMAC-SHA256. A token holds a [Purpose], a tenant and a
// value. It is bound to the tenant's ID, which is never given out twice, and is refused for every
// other tenant and purpose. Tokens are signed and not encrypted.
//
// # Sessions
//
// [Signer.BindSession] makes a token for the site of a context: a tenant, or the public site.
// [Signer.OpenSession] verifies it there. tenanthttp.RequireSession is the middleware.
//
// # Jobs and other services
//
// A [Propagator] puts the tenant of a context into a job's payload or into a header, and restores
// it from there.
//
// # Caches
//
// [CacheKey] returns the key of a value in a cache that tenants share.
package tenanttoken
