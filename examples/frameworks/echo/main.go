package main

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v5"

	"github.com/oryne/pgtenant/examples/frameworks/platform"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

func main() { platform.Main(routes) }

// routes returns one router for both sites.
func routes(p *platform.Platform) http.Handler {
	e := echo.New()
	e.GET("/", func(c *echo.Context) error {
		return c.String(http.StatusOK, "Welcome to the platform.\n")
	}, echo.WrapMiddleware(tenanthttp.RequirePublic))
	students := e.Group("/students", echo.WrapMiddleware(tenanthttp.RequireTenant))
	students.GET("/:id", student(p))
	return e
}

func student(p *platform.Platform) echo.HandlerFunc {
	return func(c *echo.Context) error {
		id, err := strconv.ParseInt(c.Param("id"), 10, 64)
		if err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, "The ID is not a number.")
		}
		s, err := p.Student(c.Request().Context(), id) // of the school of the request's host
		if err != nil {
			platform.Problem(c.Request(), err).Respond(c.Response())
			return nil
		}
		return c.JSON(http.StatusOK, s)
	}
}
