package tenanthttp

import (
	"context"
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
)

// Resolver says what a host stands for.
type Resolver interface {
	// Resolve returns what host, as the request gave it, stands for. It returns
	// [tenancy.ErrInvalidHost] or [tenancy.ErrUnknownHost], wrapped or not, for what can be told from the
	// host, and any other error when it cannot tell. It is safe for concurrent use.
	Resolve(ctx context.Context, host string) (Target, error)
}

// ResolverFunc is a function as a [Resolver].
type ResolverFunc func(ctx context.Context, host string) (Target, error)

// Resolve calls f.
func (f ResolverFunc) Resolve(ctx context.Context, host string) (Target, error) { return f(ctx, host) }

// RequestResolver is what a [Resolver] implements besides when more of a request than its host says whose it is: a
// header, a prefix of the path, a claim of a token. [Handler] then asks ResolveRequest alone.
type RequestResolver interface {
	// ResolveRequest returns what r stands for, and the request to serve, which is r itself (nil means that too) or a
	// copy: a prefix that named the tenant may be gone from its path. r must not be changed. r.Host is the effective host,
	// see [Routes].Proxies. Errors are those of [Resolver], [tenancy.ErrDisagree] where the request names two tenants, and
	// [tenanttoken.ErrBadToken] where what names it cannot be trusted. It is safe for concurrent use.
	ResolveRequest(r *http.Request) (Target, *http.Request, error)
}

// Target is what a host stands for: the platform's public site or one tenant. The zero
// value is neither and is refused, so that a resolver that forgets to say fails closed.
type Target struct {
	tenant *tenancy.Tenant
	public bool
}

// PublicTarget is the target of the platform's own hosts.
func PublicTarget() Target { return Target{public: true} }

// TenantTarget is the target of a tenant's hosts. t must not be changed afterwards.
func TenantTarget(t *tenancy.Tenant) Target { return Target{tenant: t} }

// Public reports whether the target is the public site.
func (t Target) Public() bool { return t.public }

// Tenant returns the tenant, or nil when the target is not one.
func (t Target) Tenant() *tenancy.Tenant { return t.tenant }
