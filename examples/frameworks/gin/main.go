package main

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/oryne/pgtenant/examples/frameworks/platform"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

func main() { platform.Main(routes) }

// routes returns one engine for both sites.
func routes(p *platform.Platform) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	_ = r.SetTrustedProxies(nil) // returns an error only for an invalid address
	r.GET("/", requirePublic, func(c *gin.Context) { c.String(http.StatusOK, "Welcome to the platform.\n") })
	students := r.Group("/students", requireTenant)
	students.GET("/:id", student(p))
	return r
}

// requireTenant is [tenanthttp.RequireTenant] as a middleware of gin.
func requireTenant(c *gin.Context) {
	if _, ok := tenancy.FromContext(c.Request.Context()); !ok {
		refuse(c)
	}
}

func requirePublic(c *gin.Context) {
	if !tenancy.IsPublic(c.Request.Context()) {
		refuse(c)
	}
}

func refuse(c *gin.Context) {
	tenanthttp.Refuse(c.Writer, c.Request, tenanthttp.Refusal{Err: tenanthttp.ErrNoSite})
	c.Abort()
}

func student(p *platform.Platform) gin.HandlerFunc {
	return func(c *gin.Context) {
		id, err := strconv.ParseInt(c.Param("id"), 10, 64)
		if err != nil {
			tenanthttp.Problem{Status: http.StatusBadRequest, Detail: "The ID is not a number."}.Respond(c.Writer)
			return
		}
		s, err := p.Student(c.Request.Context(), id) // of the school of the request's host
		if err != nil {
			platform.Problem(c.Request, err).Respond(c.Writer)
			return
		}
		c.JSON(http.StatusOK, s)
	}
}
