package tenancy

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/oryne/pgtenant/schemactx"
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
	Bypass func(r *http.Request, t *Tenant) bool

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
// Retry-After for one in maintenance or not ready yet and when resolver cannot tell. Only the request's Host counts, and
// forwarded headers from Proxies. It panics if resolver is nil.
func Handler(resolver Resolver, routes Routes) http.Handler {
	if resolver == nil {
		panic("tenancy: Handler without a resolver")
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
	target, r, err := h.resolve(r)
	switch {
	case err != nil:
		h.refuseErr(w, r, err)
	case target.public && h.routes.Public == nil:
		h.refuseErr(w, r, ErrNoSite)
	case target.public:
		site := &siteContext{Context: schemactx.NewPublicContext(r.Context()), refuse: h.refuse}
		h.routes.Public.ServeHTTP(w, r.WithContext(site))
	case target.tenant != nil:
		h.serveTenant(w, r, target.tenant)
	default:
		h.refuseErr(w, r, errors.New("resolver returned no target"))
	}
}

// resolve returns what r stands for and the request to serve, also with an error.
func (h *handler) resolve(r *http.Request) (Target, *http.Request, error) {
	r, err := h.effective(r)
	if err != nil {
		return Target{}, r, err
	}
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

// effective returns r, or a copy of it whose Host is that of trusted proxies.
func (h *handler) effective(r *http.Request) (*http.Request, error) {
	host, err := h.routes.Proxies.Host(r)
	if err != nil || host == r.Host {
		return r, err
	}
	r = r.WithContext(r.Context())
	r.Host = host
	return r, nil
}

func (h *handler) serveTenant(w http.ResponseWriter, r *http.Request, t *Tenant) {
	if t.Status != Active && !h.bypass(r, t) {
		why := inactive(t)
		refuse(w, r, h.refuse, Refusal{Err: why, Tenant: t, Problem: inactiveProblem(why)})
		return
	}
	if h.routes.Tenant == nil {
		p, _ := problemOf(ErrNoSite)
		refuse(w, r, h.refuse, Refusal{Err: ErrNoSite, Tenant: t, Problem: p})
		return
	}
	site := &siteContext{Context: schemactx.NewContext(r.Context(), t.Schema), tenant: t, refuse: h.refuse}
	h.routes.Tenant.ServeHTTP(w, r.WithContext(site))
}

func (h *handler) bypass(r *http.Request, t *Tenant) bool {
	return t.Status == Maintenance && h.routes.Bypass != nil && h.routes.Bypass(r, t)
}

// refuseErr answers a request that leads nowhere.
func (h *handler) refuseErr(w http.ResponseWriter, r *http.Request, err error) {
	p, known := problemOf(err)
	if !known {
		h.routes.Logger.ErrorContext(r.Context(), "resolve host", slog.String("host", r.Host), slog.Any("error", err))
	}
	refuse(w, r, h.refuse, Refusal{Err: err, Problem: p})
}
