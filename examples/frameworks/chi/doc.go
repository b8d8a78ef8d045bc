// Chi serves two schools with github.com/go-chi/chi, behind [tenanthttp.Handler]:
//
//	cd examples/frameworks && go run ./chi
//
// Middleware of chi is middleware of net/http, so that [tenanthttp.RequireTenant] can be used as it
// is.
package main
