// Package tenanthttp sends each HTTP request to the tenant whose host it came in on, and refuses
// all other requests.
//
//	site := tenanthttp.Handler(hosts, tenanthttp.Routes{Public: www, Tenant: app})
//	err := http.ListenAndServe(addr, site)
//
// # Requests
//
// [Handler] asks a [Resolver], such as the directory of package resolver, what the request's host
// stands for. A tenant's host gets the tenant routes. The tenant is then in the context, for
// [tenancy.FromContext] and for every statement of package schemactx. The platform's own hosts get
// the public routes, in the public scope. Every other host is refused: there is no default tenant.
// [RequireTenant] and [RequirePublic] separate both sites in one mux, [RequireSession] wants a
// session of the site.
//
// # Refusals
//
// A refusal is a problem detail (RFC 9457), see [Problem], unless [Routes].Refuse answers in its
// own way. Middlewares refuse in the same way with [Refuse]. [UnavailableProblem] is the answer
// while the database is away.
//
// # Proxies
//
// A request's host is its Host header. Headers that proxies set count only from trusted [Proxies],
// which also know the client's address and the scheme.
//
// # Logs
//
// [RequestIDHandler] gives each request an id. [LogHandler] adds tenant, schema and request id to
// every log record. [Tags] returns the same for error trackers, spans and metrics.
//
// # Caveats
//
// net/http itself answers a request whose Host header holds bytes that no host can have: a plain
// 400, before any handler runs.
package tenanthttp
