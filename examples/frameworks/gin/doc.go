// Gin serves two schools with github.com/gin-gonic/gin, behind [tenanthttp.Handler]:
//
//	cd examples/frameworks && go run ./gin
//
// A *gin.Context is a [context.Context] too, but not that of the request, unless the engine sets
// ContextWithFallback. A statement with it would have no tenant and return an error; it would never
// read the data of another tenant. The handlers here use c.Request.Context(). By default gin trusts
// every proxy's header for the client's address; these programs trust none.
package main
