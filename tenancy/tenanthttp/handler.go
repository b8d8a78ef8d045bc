package tenanthttp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Routes are the two sites of a platform, and what goes on in front of them.
type Routes struct {
	// Public serves the platform's own hosts, in the public scope. Nil: every request is
	// refused with 404.
	Public http.Handler

	// Tenant serves the hosts of active tenants, with the tenant in the context. Nil: every
	// request is refused with 404.
	Tenant http.Handler

	// Proxies are those whose word on the host of a request counts. Default: none; a request's host is its Host.
	Proxies *Proxies

	// Bypass reports whether a request may pass although its tenant is in maintenance: one of the people who work on
	// it. It is asked for that status alone, before any schema is in the request's context, and decides about access: what
	// it looks at must be proven, as a signed token or [Proxies.ClientIP] is. Default: nobody passes.
	Bypass func(r *http.Request, t *tenancy.Tenant) bool

	// Admit returns why an active tenant's request is not served all the same, such as a [tenancy.QuarantineError], or nil. It is
	// asked for each request of an active tenant, also for one that Bypass lets pass; ctx is the request's. Admit of package
	// quarantine keeps out tenants whose schemas the program cannot work with. Default: all are served.
	Admit func(ctx context.Context, t *tenancy.Tenant) error

	// Refuse answers the requests that are not served, such as with a page of the program's own. There is no schema in the
	// context of a request that the Handler itself refuses; the response is set to Cache-Control: no-store already. What
	// it does not want to answer it leaves to Problem.Respond. Default: that for all.
	Refuse func(w http.ResponseWriter, r *http.Request, refusal Refusal)

	// Logger gets what a client is not told: why a host could not be resolved. Nil discards.
	Logger *slog.Logger
}

// Handler sends each request to the site that its host stands for, or, where resolver is a [RequestResolver], the
// request. The served request's Host is the effective one. All others are refused, see [Refusal]: 400 for what is not a
// host or names two tenants, 404 for an unknown host and a tenant on its way out, 403 for a suspended tenant, 503 with
// Retry-After for one in maintenance or not ready yet and when resolver cannot tell, 503 for one that Routes.Admit keeps out. Only the request's Host counts, and
// forwarded headers from Proxies. It panics if resolver is nil.
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
	requests RequestResolver // resolver again, where it is one; else nil
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

// resolve returns what r stands for, the request to serve, and the host that this is to have, also with an error.
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

// withHost returns r, or a copy of it with another Host.
func withHost(r *http.Request, host string) *http.Request {
	if r.Host == host {
		return r
	}
	r = r.WithContext(r.Context())
	r.Host = host
	return r
}

// serve makes one copy of the request, for the context and for the host.
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
		p, _ := problemOf(ErrNoSite)
		refuse(w, withHost(r, host), h.refuse, Refusal{Err: ErrNoSite, Tenant: t, Problem: p})
		return
	}
	h.serve(w, r, host, h.routes.Tenant, site{Context: schemactx.NewContext(r.Context(), t.Schema), Tenant: t})
}

func (h *handler) bypass(r *http.Request, t *tenancy.Tenant) bool {
	return t.Status == tenancy.Maintenance && h.routes.Bypass != nil && h.routes.Bypass(r, t)
}

// refuseErr answers a request that leads nowhere.
func (h *handler) refuseErr(w http.ResponseWriter, r *http.Request, err error) {
	h.refuseTenant(w, r, nil, err)
}

// refuseTenant answers a request that is not served, of a tenant if that is known.
func (h *handler) refuseTenant(w http.ResponseWriter, r *http.Request, t *tenancy.Tenant, err error) {
	p, known := problemOf(err)
	if !known {
		h.routes.Logger.ErrorContext(r.Context(), "resolve host", slog.String("host", r.Host), slog.Any("error", err))
	}
	refuse(w, r, h.refuse, Refusal{Err: err, Problem: p, Tenant: t})
}
