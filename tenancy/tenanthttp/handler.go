package tenanthttp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Routes are the two sites of a platform, and the checks before a request reaches them. The
// functions are called concurrently.
type Routes struct {
	// Public serves the platform's own hosts, in the public scope. Default: such requests are refused
	// with 404.
	Public http.Handler

	// Tenant serves the hosts of active tenants, with the tenant in the context. Default: such
	// requests are refused with 404.
	Tenant http.Handler

	// Proxies are the proxies whose forwarded headers name the host. Default: none; a request's host
	// is its Host header.
	Proxies *Proxies

	// Bypass reports whether to serve a request although its tenant is in maintenance, such as an
	// operator's request. It is called for that status alone, and the request's context has no schema
	// yet. Bypass grants access, so it must decide by authenticated data alone, such as a signed token
	// or [Proxies.ClientIP]. Default: no request is served.
	Bypass func(r *http.Request, t *tenancy.Tenant) bool

	// Admit returns nil to serve a tenant's request, or the reason not to, such as a
	// [tenancy.QuarantineError]. It is called with the request's context, for each request of an
	// active tenant and for each for which Bypass returns true. Admit of package quarantine refuses
	// tenants whose schema is not at the program's version. Default: all requests are served.
	Admit func(ctx context.Context, t *tenancy.Tenant) error

	// Refuse answers a refused request, for example with a page of the program. The context of a
	// request that the Handler itself refuses has no schema. The response already has Cache-Control:
	// no-store. Default: refusal.Problem.Respond, which Refuse may call too.
	Refuse func(w http.ResponseWriter, r *http.Request, refusal Refusal)

	// Logger receives the errors of the resolver that clients do not see. Default: they are discarded.
	Logger *slog.Logger
}

// Handler returns a handler that serves each request with the site that resolver finds for its
// host. If resolver is a [RequestResolver], it gets the whole request. The Host of the served
// request is the effective host: the Host header, or the host that a trusted proxy reports, see
// [Proxies].
//
// All other requests are refused, see [Refusal]:
//
//	400  an invalid host, or the request names two tenants
//	403  a suspended tenant
//	404  an unknown host, a tenant that is being dropped, or a site without a handler
//	503  a tenant in maintenance or not ready yet, with Retry-After
//	503  a tenant that Routes.Admit refuses
//	503  any other error of resolver, with Retry-After
//
// Handler panics if resolver is nil.
func Handler(resolver Resolver, routes Routes) http.Handler {
	if resolver == nil {
		panic("tenanthttp: Handler without a resolver")
	}
	h := &handler{resolver: resolver, routes: routes, refuse: routes.Refuse}
	h.requests, _ = resolver.(RequestResolver)
	if h.refuse == nil {
		h.refuse = respond
	}
	if h.routes.Logger == nil {
		h.routes.Logger = slog.New(slog.DiscardHandler)
	}
	return h
}

type handler struct {
	resolver Resolver
	requests RequestResolver // resolver as a RequestResolver, or nil
	routes   Routes
	refuse   refuseFunc
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, err := h.routes.Proxies.Host(r)
	if err != nil {
		h.refuseErr(w, r, err)
		return
	}
	target, r, host, err := h.resolve(r, host)
	switch {
	case err != nil:
		h.refuseErr(w, withHost(r, host), err)
	case target.public && h.routes.Public == nil:
		h.refuseErr(w, withHost(r, host), ErrNoSite)
	case target.public:
		h.serve(w, r, host, h.routes.Public, site{Context: schemactx.NewPublicContext(r.Context())})
	case target.tenant != nil:
		h.serveTenant(w, r, host, target.tenant)
	default:
		h.refuseErr(w, withHost(r, host), errors.New("resolver returned no target"))
	}
}

// resolve returns the target of r, the request to serve, and its host. With an error, the request
// and the host are valid too.
func (h *handler) resolve(r *http.Request, host string) (Target, *http.Request, string, error) {
	if h.requests == nil {
		target, err := h.resolver.Resolve(r.Context(), host)
		return target, r, host, err
	}
	r = withHost(r, host)
	target, served, err := h.requests.ResolveRequest(r)
	if served == nil {
		served = r
	}
	return target, served, served.Host, err
}

// withHost returns a request with that Host: r itself if it has it, else a copy.
func withHost(r *http.Request, host string) *http.Request {
	if r.Host == host {
		return r
	}
	r = r.WithContext(r.Context())
	r.Host = host
	return r
}

// serve passes a copy of r with the site's context and the host to next. One copy has both changes.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, host string, next http.Handler, site site) {
	r = r.WithContext(&requestContext{site: site, refuse: h.refuse})
	r.Host = host
	next.ServeHTTP(w, r)
}

func (h *handler) serveTenant(w http.ResponseWriter, r *http.Request, host string, t *tenancy.Tenant) {
	if t.Status != tenancy.Active {
		if r = withHost(r, host); !h.bypass(r, t) {
			h.refuseTenant(w, r, t, tenancy.Serveable(t))
			return
		}
	}
	if h.routes.Admit != nil {
		if err := h.routes.Admit(r.Context(), t); err != nil {
			h.refuseTenant(w, withHost(r, host), t, err)
			return
		}
	}
	if h.routes.Tenant == nil {
		p, _ := ProblemOf(ErrNoSite)
		refuse(w, withHost(r, host), h.refuse, Refusal{Err: ErrNoSite, Tenant: t, Problem: p})
		return
	}
	h.serve(w, r, host, h.routes.Tenant, site{Context: schemactx.NewContext(r.Context(), t.Schema), Tenant: t})
}

func (h *handler) bypass(r *http.Request, t *tenancy.Tenant) bool {
	return t.Status == tenancy.Maintenance && h.routes.Bypass != nil && h.routes.Bypass(r, t)
}

// refuseErr refuses a request whose tenant is unknown.
func (h *handler) refuseErr(w http.ResponseWriter, r *http.Request, err error) {
	h.refuseTenant(w, r, nil, err)
}

// refuseTenant refuses a request. t is nil if the tenant is unknown.
func (h *handler) refuseTenant(w http.ResponseWriter, r *http.Request, t *tenancy.Tenant, err error) {
	p, known := ProblemOf(err)
	if !known {
		h.routes.Logger.ErrorContext(r.Context(), "resolve host", slog.String("host", r.Host), slog.Any("error", err))
	}
	refuse(w, r, h.refuse, Refusal{Err: err, Problem: p, Tenant: t})
}
