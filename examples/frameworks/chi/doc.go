// Chi serves two schools with github.com/go-chi/chi, in front of which [tenanthttp.Handler] stands:
//
//	cd examples/frameworks && go run ./chi
//
// chi's middlewares are those of net/http, so that [tenanthttp.RequireTenant] is one.
package main
