package tenanthttp

import (
	"context"
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
)

// Resolver finds the target of a host. The directory of package resolver is one.
type Resolver interface {
	// Resolve returns the target of host, which is as the request gave it. The error is or wraps
	// [tenancy.ErrInvalidHost] or [tenancy.ErrUnknownHost] if the host leads nowhere. Any other error
	// says that Resolve cannot tell. It is called concurrently.
	Resolve(ctx context.Context, host string) (Target, error)
}

// ResolverFunc is a function as a [Resolver].
type ResolverFunc func(ctx context.Context, host string) (Target, error)

// Resolve calls f.
func (f ResolverFunc) Resolve(ctx context.Context, host string) (Target, error) { return f(ctx, host) }

// RequestResolver is an optional interface of a [Resolver], for one that looks at more of a request
// than its host: a header, a prefix of the path, a claim of a token. [Handler] then calls
// ResolveRequest alone.
type RequestResolver interface {
	// ResolveRequest returns the target of r and the request to serve. That is r itself, for which nil
	// stands as well, or a copy, such as one without the prefix of the path that named the tenant.
	// ResolveRequest must not change r. r.Host is the effective host, see [Routes].Proxies. Errors are
	// those of [Resolver], [tenancy.ErrAmbiguousTenant] if the request names two tenants, and
	// tenanttoken.ErrBadToken if its token is not genuine. It is called concurrently.
	ResolveRequest(r *http.Request) (Target, *http.Request, error)
}

// Target is what a host stands for: the platform's public site or one tenant. The zero value is
// neither: a request for it is refused, so that a resolver that returns no target fails closed.
type Target struct {
	tenant *tenancy.Tenant
	public bool
}

// PublicTarget is the target of the platform's own hosts.
func PublicTarget() Target { return Target{public: true} }

// TenantTarget is the target of a tenant's hosts. Requests share t: it must not be changed
// afterwards.
func TenantTarget(t *tenancy.Tenant) Target { return Target{tenant: t} }

// Public reports whether the target is the public site.
func (t Target) Public() bool { return t.public }

// Tenant returns the tenant, or nil if the target is not a tenant.
func (t Target) Tenant() *tenancy.Tenant { return t.tenant }
