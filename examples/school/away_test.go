package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/internal/pgtest"
)

// restartable is a PostgreSQL for one test that can be killed and started again on the same port.
type restartable struct {
	server  *localpg.Server
	command string // starts it again
	again   *exec.Cmd
}

func newRestartable(t *testing.T) *restartable {
	t.Helper()
	pgtest.Version(t) // skips or fails without a server
	server, err := localpg.Start(t.Context(), localpg.Config{Settings: map[string]string{"max_connections": "200"}})
	require.NoError(t, err)
	s := &restartable{server: server}
	t.Cleanup(func() {
		if s.again != nil {
			s.signal(t, syscall.SIGQUIT)
			_ = s.again.Wait()
		}
		require.NoError(t, server.Stop(context.Background()))
		require.NoError(t, os.RemoveAll(server.Dir()))
	})
	s.command, err = server.Keep()
	require.NoError(t, err)
	return s
}

func (s *restartable) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.server.Dir(), "data", "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(t, err)
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, process.Signal(signal))
}

// kill shuts the server down immediately. The sessions get no more than a notice.
func (s *restartable) kill(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGQUIT)
	<-s.server.Done()
}

// killWithRequestsInFlight kills the server while a read and a write of the school wait for a lock.
func (s *restartable) killWithRequestsInFlight(t *testing.T, slug string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.server.TCPURL("postgres"))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	var schema string
	require.NoError(t, tx.QueryRow(t.Context(), "select schema_name from tenants where slug = $1", slug).Scan(&schema))
	_, err = tx.Exec(t.Context(), "lock table "+pgx.Identifier{schema, "students"}.Sanitize()+" in access exclusive mode")
	require.NoError(t, err)
	eventually(t, "a reader and a writer that wait for the lock", func() (waiting bool) {
		require.NoError(t, tx.QueryRow(t.Context(), `select count(*) filter (where query ~ 'insert into students') > 0
				and count(*) filter (where query !~ 'insert into') > 0
			from pg_stat_activity, pg_stat_clear_snapshot() where wait_event_type = 'Lock'`).Scan(&waiting))
		return waiting
	})
	s.kill(t)
}

func (s *restartable) start(t *testing.T) {
	t.Helper()
	s.again = exec.Command("sh", "-c", "exec "+s.command+" -c max_connections=200")
	s.again.Dir = s.server.Dir()
	require.NoError(t, s.again.Start())
	eventually(t, "PostgreSQL to be back", func() bool {
		conn, err := pgx.Connect(t.Context(), s.server.TCPURL("postgres"))
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	})
}

// tally counts the answers to one kind of request by status, and keeps the unexpected ones.
type tally struct {
	mu       sync.Mutex
	statuses map[int]int
	wrong    []string
	said     map[string]bool // the details of problems
}

func (y *tally) count(a answer) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.statuses[a.status]++
	if a.status >= 500 && (a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "") {
		y.wrong = append(y.wrong, fmt.Sprintf("%d, Retry-After %q: %s", a.status, a.header.Get("Retry-After"), a.body))
	}
	if a.status == http.StatusServiceUnavailable {
		y.said[a.body] = true
	}
}

func (y *tally) of(statuses ...int) (n int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, s := range statuses {
		n += y.statuses[s]
	}
	return n
}

// PostgreSQL is killed under load, stays down for a while and recovers. Until then every answer is
// 503.
func TestAnswersAre503WithoutPostgreSQL(t *testing.T) {
	t.Parallel()
	s := newRestartable(t)
	dir := filepath.Join(tempDir(t), "data")
	p, err := start(t, "--database-url", s.server.TCPURL("postgres"), "--data-dir", dir)
	require.NoError(t, err)
	k, err := loginKey(dir)
	require.NoError(t, err)
	staff := p.logIn(t, k, ada, 0)
	const school = "elmpark.localhost"
	p.ask(t, "POST", "localhost", "/api/tenants/",
		`{"name":"Elm Park","slug":"elmpark","email":"me@elmpark.example","password":"correct horse"}`,
		"Content-Type", "application/json").
		expect(t, 201)
	var session string
	eventually(t, "the new school", func() bool {
		a := p.ask(t, "POST", school, "/api/auth/login", `{"email":"me@elmpark.example","password":"correct horse"}`,
			"Content-Type", "application/json")
		var got struct{ Token string }
		if a.status == 200 {
			a.json(t, &got)
		}
		session = got.Token
		return a.status == 200
	})

	bearer := "Bearer " + session
	n := 0
	kinds := map[string]func() answer{
		"the API reads": func() answer {
			return p.ask(t, "GET", school, "/api/students/", "", "Authorization", bearer)
		},
		"the school's page": func() answer {
			return p.ask(t, "GET", "schoola.localhost", "/students", "", "Accept", "text/html")
		},
		"the platform's page": func() answer { return p.ask(t, "GET", "localhost", "/", "", "Accept", "text/html") },
		"the console reads": func() answer {
			return p.ask(t, "GET", "localhost", "/admin/tenants/", "", "Cookie", staff, "Accept", "text/html")
		},
		"whether it is ready": func() answer { return p.ask(t, "GET", "localhost", "/readyz", "") },
		"the console changes": func() answer {
			return p.post(t, "localhost", "/admin/tenants/schoolc/plan", staff, "plan", "premium")
		},
		"the API writes": func() answer {
			n++
			return p.ask(t, "POST", school, "/api/students/",
				fmt.Sprintf(`{"admission_number":"N-%d","first_name":"Ida","last_name":"Quist"}`, n), "Authorization", bearer,
				"Content-Type", "application/json")
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var load sync.WaitGroup
	tallies := make(map[string]*tally)
	for name, send := range kinds {
		y := &tally{statuses: make(map[int]int), said: make(map[string]bool)}
		tallies[name] = y
		load.Go(func() {
			for ctx.Err() == nil {
				y.count(send())
				time.Sleep(30 * time.Millisecond) // stay below the client's rate limit
			}
		})
	}
	each := func(what string, statuses ...int) {
		t.Helper()
		for name, y := range tallies {
			before := y.of(statuses...)
			eventually(t, name+": "+what, func() bool { return y.of(statuses...) > before })
		}
	}
	each("an answer", 200, 201, 303)
	s.killWithRequestsInFlight(t, "elmpark")
	each("a refusal", 503)
	s.start(t)
	each("an answer again", 200, 201, 303)
	cancel()
	load.Wait()
	for name, y := range tallies {
		assert.Empty(t, y.wrong, name)
		t.Logf("%s: %v", name, y.statuses)
	}
	cutOff := false
	for said := range tallies["the API writes"].said {
		cutOff = cutOff || strings.Contains(said, "may have been made")
		if !strings.Contains(said, "Nothing was changed") {
			assert.Contains(t, said, "may have been made", "a refused write does not say whether it was made")
		}
	}
	assert.True(t, cutOff, "no answer says that the interrupted write may have been made: %v",
		slices.Collect(maps.Keys(tallies["the API writes"].said)))
	require.NoError(t, p.stop())
}
