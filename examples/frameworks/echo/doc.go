// Echo serves two schools with github.com/labstack/echo, in front of which [tenanthttp.Handler]
// stands:
//
//	cd examples/frameworks && go run ./echo
//
// echo wraps middlewares of net/http, such as [tenanthttp.RequireTenant]; the request's context is
// c.Request().Context().
package main
