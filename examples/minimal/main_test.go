package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) {
	if os.Getenv("MINIMAL_TEST_PROGRAM") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(pgtest.Main(m))
}

// The program sets up its database, makes two tenants and serves them, as the README says.
func TestTheProgramServesTheTenantsThatItMakes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	roles := schemactx.DefaultRoleNames(db.Name)
	db.RolePrefix = roles.Prefix() // to be dropped after the test
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close()) // for the program
	program := func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0], args...)
		cmd.Env = append(os.Environ(), "MINIMAL_TEST_PROGRAM=1", "LISTEN="+address, "ADMIN_URL="+db.URL,
			"OWNER_URL="+db.URLAs(roles.Owner(), "o"), "RUNTIME_URL="+db.URLAs(roles.Runtime(), "r"))
		return cmd
	}
	for _, args := range [][]string{{"setup"}, {"acme", "acme.localhost"}, {"umbra", "umbra.localhost"}, {"setup"}} {
		out, err := program(t.Context(), args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	_, err = db.Pool.Exec(t.Context(), "insert into tenant_2.notes values ('one'), ('two')")
	require.NoError(t, err)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server := program(ctx)
	server.Stderr = os.Stderr
	require.NoError(t, server.Start())
	defer func() { _ = server.Wait() }() // is killed
	defer stop()
	for host, want := range map[string]string{"acme.localhost": "0 notes\n", "umbra.localhost": "2 notes\n"} {
		assert.Equal(t, want, get(t, address, host), host)
	}
	// The database refuses connections as a server that is starting does.
	_, err = db.Pool.Exec(t.Context(), "alter role "+roles.Runtime()+" connection limit 0")
	require.NoError(t, err)
	_, err = db.Pool.Exec(t.Context(),
		"select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = $1", roles.Runtime())
	require.NoError(t, err)
	assert.Contains(t, get(t, address, "acme.localhost"), "Try again soon", "while the database is away")
}

// get asks until the program serves.
func get(t *testing.T, address, host string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/notes", nil)
		require.NoError(t, err)
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			require.True(t, time.Now().Before(deadline), "%v", err)
			continue
		}
		defer res.Body.Close()
		if res.StatusCode >= 500 {
			assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode, host)
			assert.NotEmpty(t, res.Header.Get("Retry-After"), host)
		}
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(body)
	}
}
