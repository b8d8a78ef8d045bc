package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) {
	if os.Getenv("MINIMAL_TEST_PROGRAM") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(pgtest.Main(m))
}

// The program makes two tenants and serves them, as its documentation says.
func TestTheProgramServesTheTenantsThatItMakes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	roles := schemactx.DefaultRoleNames(db.Name)
	db.RolePrefix = roles.Prefix() // to be dropped after the test
	_, err := admin.Setup(t.Context(), db.Pool, admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"})
	check(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address := listener.Addr().String()
	check(t, listener.Close()) // for the program
	program := func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0], args...)
		cmd.Env = append(os.Environ(), "MINIMAL_TEST_PROGRAM=1", "LISTEN="+address,
			"OWNER_URL="+db.URLAs(roles.Owner(), "o"), "RUNTIME_URL="+db.URLAs(roles.Runtime(), "r"))
		return cmd
	}
	for _, slug := range []string{"acme", "umbra"} {
		if out, err := program(t.Context(), slug, slug+".localhost").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	_, err = db.Pool.Exec(t.Context(), "insert into tenant_2.notes values ('one'), ('two')")
	check(t, err)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server := program(ctx)
	server.Stderr = os.Stderr
	check(t, server.Start())
	defer func() { _ = server.Wait() }() // is killed
	defer stop()
	for host, want := range map[string]string{"acme.localhost": "0 notes\n", "umbra.localhost": "2 notes\n"} {
		if got := get(t, address, host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	_, err = db.Pool.Exec(t.Context(), "alter role "+roles.Runtime()+" connection limit 0") // as if the server was starting
	check(t, err)
	_, err = db.Pool.Exec(t.Context(), "select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = $1", roles.Runtime())
	check(t, err)
	if got := get(t, address, "acme.localhost"); !strings.Contains(got, "Try again soon") {
		t.Errorf("while the database is away: %q", got)
	}
}

// get asks until the program serves.
func get(t *testing.T, address, host string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/notes", nil)
		check(t, err)
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
			continue
		}
		defer res.Body.Close()
		if res.StatusCode >= 500 && (res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "") {
			t.Errorf("%s: %d, Retry-After %q", host, res.StatusCode, res.Header.Get("Retry-After"))
		}
		body, err := io.ReadAll(res.Body)
		check(t, err)
		return string(body)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
