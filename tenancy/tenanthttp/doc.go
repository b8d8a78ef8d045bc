// Package tenanthttp serves each HTTP request for the tenant that the host names, and refuses all
// other requests.
//
//	hosts, err := resolver.NewDirectory(ctx, db, resolver.Config{}) // or a ResolverFunc
//	handler := tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: app})
//	err = http.ListenAndServe(addr, handler)
//
// # Requests
//
// [Handler] asks a [Resolver] for the target of the request's host, such as the directory of
// package resolver. Requests for a tenant's host go to [Routes].Tenant. The tenant is then in the
// context, for [tenancy.FromContext] and for every statement of package schemactx. Requests for the
// platform's own hosts go to [Routes].Public, in the public scope. Requests for any other host are
// refused: there is no default tenant. [RequireTenant] and [RequirePublic] separate the two sites
// in one mux. [RequireSession] requires a session of the site.
//
// # Refusals
//
// The response to a refused request is a problem detail (RFC 9457), see [Problem], or what
// [Routes].Refuse writes. Middlewares call [Refuse] to refuse requests in the same way.
// [UnavailableProblem] is the response while the database is unavailable.
//
// # Proxies
//
// A request's host is its Host header. Forwarded headers count only if a trusted proxy sent the
// request, see [Proxies], which also returns the client's address and the scheme.
//
// # Logs
//
// [RequestIDHandler] gives each request an id. [LogHandler] adds tenant, schema and request id to
// every log record. [Tags] returns the same for error trackers, spans and metrics.
//
// # Caveats
//
// net/http itself answers a request with an invalid byte in its Host header: with a plain 400,
// before any handler runs.
package tenanthttp
