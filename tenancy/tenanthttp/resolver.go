package tenanthttp

import (
	"context"
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
)

// Resolver finds the target of a host. The directory of package resolver is one.
type Resolver interface {
	// Resolve returns the target of host, which is as the request has it: in upper or lower case and
	// perhaps with a port, see [tenancy.NormalizeHost]. The error is or wraps [tenancy.ErrInvalidHost]
	// or [tenancy.ErrUnknownHost] if the host has no target. Any other error is a failure of the
	// resolver: the response is 503. Resolve is called concurrently.
	Resolve(ctx context.Context, host string) (Target, error)
}

// ResolverFunc is a function as a [Resolver].
type ResolverFunc func(ctx context.Context, host string) (Target, error)

// Resolve calls f.
func (f ResolverFunc) Resolve(ctx context.Context, host string) (Target, error) { return f(ctx, host) }

// RequestResolver is an optional interface of a [Resolver] that uses more of a request than its
// host: a header, a prefix of the path, a claim of a token. [Handler] then calls ResolveRequest
// instead of Resolve.
type RequestResolver interface {
	// ResolveRequest returns the target of r and the request to serve: nil for r itself, or a copy,
	// such as one without the prefix of the path that named the tenant. It must not change r. r.Host
	// is the effective host, see [Routes].Proxies. Errors are those of [Resolver],
	// [tenancy.ErrAmbiguousTenant] if the request names two tenants, and tenanttoken.ErrBadToken if
	// its token is not genuine. ResolveRequest is called concurrently.
	ResolveRequest(r *http.Request) (Target, *http.Request, error)
}

// Target is the site that serves the requests of a host: the platform's public site or one tenant.
// The zero value is no target: such a request is refused, so that a faulty resolver fails closed.
type Target struct {
	tenant *tenancy.Tenant
	public bool
}

// PublicTarget is the target of the platform's own hosts.
func PublicTarget() Target { return Target{public: true} }

// TenantTarget is the target of a tenant's hosts. Requests share t, so the caller must not change
// it afterwards.
func TenantTarget(t *tenancy.Tenant) Target { return Target{tenant: t} }

// Public reports whether the target is the public site.
func (t Target) Public() bool { return t.public }

// Tenant returns the tenant, or nil if the target is not a tenant.
func (t Target) Tenant() *tenancy.Tenant { return t.tenant }
