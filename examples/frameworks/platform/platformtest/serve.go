package platformtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/examples/frameworks/platform"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// ServesTenants tests the program of a framework, whose routes are those of routes.
func ServesTenants(t *testing.T, routes func(p *platform.Platform) http.Handler) {
	t.Helper()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	p, err := platform.Open(t.Context(), pg.URL, roles)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	server := httptest.NewServer(p.Handler(routes(p)))
	t.Cleanup(server.Close)

	for _, c := range []struct {
		host, path string
		status     int
		body       string // a part of the body
	}{
		{"schoola.localhost", "/students/1", 200, "Amara"},
		{"schoolb.localhost", "/students/1", 200, "Mateo"},
		{"SCHOOLB.localhost:8000", "/students/1", 200, "Mateo"},
		{"schoola.localhost", "/students/2", 404, "no such student"},
		{"schoola.localhost", "/students/x", 400, "not a number"},
		{"schoolc.localhost", "/students/1", 404, "There is no site at this host."},
		{"..", "/students/1", 400, "host is not valid"},
		{"localhost", "/students/1", 404, "There is nothing at this address."},
		{"localhost", "/", 200, "Welcome to the platform."},
		{"schoola.localhost", "/", 404, "There is nothing at this address."},
	} {
		status, body := get(t, server, c.host, c.path)
		assert.Equal(t, c.status, status, "%s%s: %s", c.host, c.path, body)
		assert.Contains(t, body, c.body, c.host+c.path)
	}

	// The database refuses the login, as it does while it starts.
	_, err = pg.Pool.Exec(t.Context(), "alter role "+roles.Runtime()+" connection limit 0")
	require.NoError(t, err)
	for range 2 { // first on a terminated connection, then without one
		_, err = pg.Pool.Exec(
			t.Context(),
			"select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = $1",
			roles.Runtime(),
		)
		require.NoError(t, err)
		status, body := get(t, server, "schoola.localhost", "/students/1")
		assert.Equal(t, http.StatusServiceUnavailable, status, "without a database: %s", body)
		assert.Contains(t, body, "Try again soon", "without a database")
	}
}

func get(t *testing.T, server *httptest.Server, host, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	require.NoError(t, err)
	r.Host = host
	res, err := server.Client().Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	if res.StatusCode == http.StatusServiceUnavailable {
		assert.NotEmpty(t, res.Header.Get("Retry-After"), "%s%s: 503 without Retry-After", host, path)
	}
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(content)
}
