// Package resolver says which tenant a request's host belongs to.
//
//	hosts, err := resolver.New(tenancy.NewRegistry(db), resolver.Config{PublicHosts: []string{"example.com"}})
//	http.ListenAndServe(addr, tenancy.Handler(hosts, routes))
//
// # Hosts
//
// Hosts are compared in the one form that [github.com/oryne/pgtenant/tenancy.NormalizeHost]
// gives them: lower case, without port and trailing dot, internationalised names in ASCII.
// A host stands for the public site if it is listed in the configuration, for a tenant if
// the registry has it as a domain, and for nothing otherwise.
//
// # Cost
//
// A [Resolver] asks the registry once for every request, so that it sees a change at once.
package resolver
