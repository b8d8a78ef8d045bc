package tenancy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// Resolver says what a host stands for.
type Resolver interface {
	// Resolve returns what host, as the request gave it, stands for. It returns
	// [ErrInvalidHost] or [ErrUnknownHost], wrapped or not, for what can be told from the
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
	// see [Routes].Proxies. Errors are those of [Resolver], and [ErrDisagree] where the request names two tenants. It is
	// safe for concurrent use.
	ResolveRequest(r *http.Request) (Target, *http.Request, error)
}

// Target is what a host stands for: the platform's public site or one tenant. The zero
// value is neither and is refused, so that a resolver that forgets to say fails closed.
type Target struct {
	tenant *Tenant
	public bool
}

// PublicTarget is the target of the platform's own hosts.
func PublicTarget() Target { return Target{public: true} }

// TenantTarget is the target of a tenant's hosts. t must not be changed afterwards.
func TenantTarget(t *Tenant) Target { return Target{tenant: t} }

// Public reports whether the target is the public site.
func (t Target) Public() bool { return t.public }

// Tenant returns the tenant, or nil when the target is not one.
func (t Target) Tenant() *Tenant { return t.tenant }

// Routes are the two sites of a platform.
type Routes struct {
	// Public serves the platform's own hosts, in the public scope. Nil: every request is
	// refused with 404.
	Public http.Handler

	// Tenant serves the hosts of active tenants, with the tenant in the context. Nil: every
	// request is refused with 404.
	Tenant http.Handler

	// Logger gets what a client is not told: why a host could not be resolved. Nil discards.
	Logger *slog.Logger
}

// retryAfter is what a client is told to wait where nobody knows better.
const retryAfter = 30 * time.Second

// Handler sends each request to the site that its host stands for, and refuses all others
// with a [Problem]: 400 for what is not a host, 404 for an unknown host and a tenant on its
// way out, 403 for a suspended tenant, 503 with Retry-After for one in maintenance or not
// ready yet and when resolver cannot tell. Only the request's Host counts; forwarded
// headers do not. It panics if resolver is nil.
func Handler(resolver Resolver, routes Routes) http.Handler {
	if resolver == nil {
		panic("tenancy: Handler without a resolver")
	}
	h := &handler{resolver: resolver, public: routes.Public, tenant: routes.Tenant, logger: routes.Logger}
	h.requests, _ = resolver.(RequestResolver)
	if h.public == nil {
		h.public = http.HandlerFunc(notFound)
	}
	if h.tenant == nil {
		h.tenant = http.HandlerFunc(notFound)
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	return h
}

type handler struct {
	resolver       Resolver
	requests       RequestResolver // resolver again, where it is one; else nil
	public, tenant http.Handler
	logger         *slog.Logger
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, r, err := h.resolve(r)
	switch {
	case err != nil:
		h.refuse(w, r, err)
	case target.public:
		h.public.ServeHTTP(w, r.WithContext(schemactx.NewPublicContext(r.Context())))
	case target.tenant != nil:
		h.serveTenant(w, r, target.tenant)
	default:
		h.refuse(w, r, errors.New("resolver returned no target"))
	}
}

// resolve returns what r stands for and the request to serve.
func (h *handler) resolve(r *http.Request) (Target, *http.Request, error) {
	if h.requests == nil {
		target, err := h.resolver.Resolve(r.Context(), r.Host)
		return target, r, err
	}
	target, served, err := h.requests.ResolveRequest(r)
	if served == nil {
		served = r
	}
	return target, served, err
}

func (h *handler) serveTenant(w http.ResponseWriter, r *http.Request, t *Tenant) {
	switch t.Status {
	case Active:
		h.tenant.ServeHTTP(w, r.WithContext(NewContext(r.Context(), t)))
	case Suspended:
		Problem{Status: http.StatusForbidden, Title: "Suspended", Detail: "This site is suspended."}.Respond(w)
	case Maintenance:
		Problem{Status: http.StatusServiceUnavailable, Title: "Maintenance", Detail: "This site is being worked on.", RetryAfter: retryAfter}.Respond(w)
	case Provisioning:
		Problem{Status: http.StatusServiceUnavailable, Title: "Not ready", Detail: "This site is being set up.", RetryAfter: retryAfter}.Respond(w)
	default: // dropping, or a status that a newer version of the registry knows
		h.refuse(w, r, ErrUnknownHost)
	}
}

// refuse answers a request whose host leads nowhere.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrInvalidHost):
		Problem{Status: http.StatusBadRequest, Title: "Invalid host", Detail: "The Host header is not a valid host."}.Respond(w)
	case errors.Is(err, ErrDisagree):
		Problem{Status: http.StatusBadRequest, Title: "Ambiguous request", Detail: "The request names more than one site."}.Respond(w)
	case errors.Is(err, ErrUnknownHost):
		Problem{Status: http.StatusNotFound, Title: "Unknown host", Detail: "There is no site at this host."}.Respond(w)
	default:
		h.logger.ErrorContext(r.Context(), "resolve host", slog.String("host", r.Host), slog.Any("error", err))
		Problem{Status: http.StatusServiceUnavailable, Title: "Cannot resolve host", Detail: "Try again soon.", RetryAfter: retryAfter}.Respond(w)
	}
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	Problem{Status: http.StatusNotFound, Detail: "There is nothing at this address."}.Respond(w)
}
