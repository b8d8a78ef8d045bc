package platform_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/examples/frameworks/platform"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// limited holds the ways to use package ratelimit with each framework: as its middleware, if it
// accepts that of net/http, and around its engine.
var limited = map[string]func(limit func(http.Handler) http.Handler, page http.HandlerFunc) http.Handler{
	"chi": func(limit func(http.Handler) http.Handler, page http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(limit)
		r.Get("/page", page)
		return r
	},
	"echo": func(limit func(http.Handler) http.Handler, page http.HandlerFunc) http.Handler {
		e := echo.New()
		e.Use(echo.WrapMiddleware(limit))
		e.GET("/page", echo.WrapHandler(page))
		return e
	},
	"gin": func(limit func(http.Handler) http.Handler, page http.HandlerFunc) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		g := gin.New()
		g.GET("/page", gin.WrapF(page))
		return limit(g)
	},
}

func TestFrameworksBehindTheRateLimit(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	p, err := platform.Open(t.Context(), pg.URL, roles)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	for name, mount := range limited {
		limiter, err := ratelimit.New(ratelimit.Config{
			Limits: ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) {
				return ratelimit.Policy{Tenant: ratelimit.PerHour(2)}, nil
			}),
		})
		require.NoError(t, err)
		limit, err := ratelimit.Middleware(ratelimit.MiddlewareConfig{Limiter: limiter})
		require.NoError(t, err)
		server := httptest.NewServer(p.Handler(mount(limit, func(w http.ResponseWriter, r *http.Request) {
			s, err := p.Student(r.Context(), 1)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = io.WriteString(w, s.Name) // an error means that the client has disconnected
		})))
		for _, c := range []struct {
			host, want, left string
			status           int
		}{
			{"schoola.localhost", "Amara", `"tenant";r=1;t=1800`, http.StatusOK},
			{"schoola.localhost", "Amara", `"tenant";r=0;t=1800`, http.StatusOK},
			{"schoola.localhost", "", `"tenant";r=0;t=1800`, http.StatusTooManyRequests},
			{"schoolb.localhost", "Mateo", `"tenant";r=1;t=1800`, http.StatusOK},
		} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/page", nil)
			require.NoError(t, err)
			r.Host = c.host
			w, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			body, err := io.ReadAll(w.Body)
			require.NoError(t, err)
			require.NoError(t, w.Body.Close())
			assert.Equal(t, c.status, w.StatusCode, "%s: %s: %s", name, c.host, body)
			if c.want != "" {
				assert.Equal(t, c.want, string(body), "%s: %s", name, c.host)
			}
			assert.Equal(t, c.left, w.Header.Get("RateLimit"), "%s: %s", name, c.host)
		}
		server.Close()
	}
}
