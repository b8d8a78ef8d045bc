// Echo serves two schools with github.com/labstack/echo, behind [tenanthttp.Handler]:
//
//	cd examples/frameworks && go run ./echo
//
// echo can wrap middleware of net/http, such as [tenanthttp.RequireTenant]. The request's context
// is c.Request().Context().
package main
