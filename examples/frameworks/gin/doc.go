// Gin serves two schools with github.com/gin-gonic/gin, in front of which [tenanthttp.Handler]
// stands:
//
//	cd examples/frameworks && go run ./gin
//
// A *gin.Context is a [context.Context] too, but not the request's unless the engine says
// ContextWithFallback: given to a statement it would have no tenant, which is an error and never
// somebody else's data. The handlers here say c.Request.Context(). gin trusts every proxy's word on
// the client's address until it is told otherwise.
package main
