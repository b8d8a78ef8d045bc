package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/oryne/pgtenant/examples/frameworks/platform"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestChiServesEachSchoolItsOwn(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.Open(t.Context(), pg.URL, roles)
	if err != nil {
		t.Fatal(err)
	}
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
		{"..", "/students/1", 400, "not a valid one"},
		{"localhost", "/students/1", 404, "There is nothing at this address."},
		{"localhost", "/", 200, "Welcome to the platform."},
		{"schoola.localhost", "/", 404, "There is nothing at this address."},
	} {
		status, body := get(t, server, c.host, c.path)
		if status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s%s: %d %s, want %d %s", c.host, c.path, status, body, c.status, c.body)
		}
	}

	// The database refuses the login, as it does while it starts.
	_, err = pg.Pool.Exec(t.Context(), "alter role "+roles.Runtime()+" connection limit 0")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // first on a terminated connection, then without one
		_, err = pg.Pool.Exec(
			t.Context(),
			"select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = $1",
			roles.Runtime(),
		)
		if err != nil {
			t.Fatal(err)
		}
		status, body := get(t, server, "schoola.localhost", "/students/1")
		if status != 503 || !strings.Contains(body, "Try again soon") {
			t.Errorf("while the database is away: %d %s", status, body)
		}
	}
}

func get(t *testing.T, server *httptest.Server, host, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
		t.Errorf("%s%s: 503 without Retry-After", host, path)
	}
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(content)
}
