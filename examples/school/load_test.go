package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// The cost of the whole stack: GET /api/students/{id} with a session, compared with a handler of
// only net/http and pgx that has the schema in its SQL and checks no session.
//
//	go test -run '^$' -bench Load -benchtime 20x -timeout 30m ./examples/school
//
// A round measures each way for a moment, in random order, so that both have the same load on the
// machine. The requests go to the schools in turn. The result is the median of the rounds' ratios.
// README.md has the results and where the time goes.

const (
	loadConns  = 16                     // concurrent requests
	loadMoment = 500 * time.Millisecond // of each way, per round
	loadLeadIn = 100 * time.Millisecond // warm-up, not counted
	loadPlan   = "load"                 // a plan whose limit is checked but never reached
	loadSecret = "correct horse battery staple"
)

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{3, 300} {
		b.Run(fmt.Sprintf("schools=%d", n), func(b *testing.B) {
			p := newLoadPlatform(b)
			app := p.app(b)
			requests := p.enrol(b, app, n)
			whole, bare := p.serve(b, app), p.serve(b, p.bare(b))
			ways := []struct {
				addr string
				rate []float64 // requests per second, by round
			}{{addr: whole}, {addr: bare}}
			for b.Loop() {
				for _, i := range rand.Perm(len(ways)) {
					ways[i].rate = append(ways[i].rate, load(b, ways[i].addr, requests))
				}
			}
			var ratios []float64
			for i := range ways[0].rate {
				ratios = append(ratios, ways[0].rate[i]/ways[1].rate[i])
			}
			b.ReportMetric(median(ways[0].rate), "req/s")
			b.ReportMetric(median(ways[1].rate), "bare-req/s")
			b.ReportMetric(median(ratios), "of-bare")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// loadPlatform is the example's platform on a new database.
type loadPlatform struct {
	*platform
	url string
}

func newLoadPlatform(b *testing.B) loadPlatform {
	b.Helper()
	plans.Plans[loadPlan] = ratelimit.Policy{
		Tenant: ratelimit.PerSecond(1_000_000), Caller: ratelimit.PerSecond(1_000_000),
	}
	test := pgtest.New(b)
	test.RolePrefix = schemactx.DefaultRoleNames(test.Name).Prefix()
	dir, err := filepath.Abs(b.TempDir())
	require.NoError(b, err)
	o := options{databaseURL: test.URL, dataDir: filepath.Join(dir, "data")}
	db, err := openDatabase(b.Context(), o, io.Discard)
	require.NoError(b, err)
	p, err := openPlatform(b.Context(), db, o.dataDir, slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, p.close(context.Background())) })
	require.NoError(b, p.prepare(b.Context(), db.roles))
	p.schools.Names = append(p.schools.Names, loadPlan)
	return loadPlatform{platform: p, url: db.owner}
}

// enrol creates n schools with one student each, and returns the requests of their administrators.
func (p loadPlatform) enrol(b *testing.B, app http.Handler, n int) (requests [][]byte) {
	b.Helper()
	for i := range n {
		slug := fmt.Sprintf("load%03d", i)
		t, err := p.schools.Make(b.Context(), schools.New{
			Slug: slug, Name: slug, Plan: loadPlan, Admin: "admin@load.example", Password: loadSecret,
		})
		require.NoError(b, err)
		require.NoError(b, schemactx.WithSchema(b.Context(), t.Schema, func(ctx context.Context) error {
			_, err := erp.NewStudents(p.db).Create(erp.NewContext(ctx, erp.System()), erp.NewStudent{
				AdmissionNumber: "1", FirstName: "Amara", LastName: "Okafor", DateOfBirth: new(erp.NewDate(2015, 4, 15)),
			})
			return err
		}))
		token := logIn(b, app, slug+".localhost")
		requests = append(requests, fmt.Appendf(nil,
			"GET /api/students/1 HTTP/1.1\r\nHost: %s.localhost\r\nAuthorization: Bearer %s\r\n\r\n", slug, token))
	}
	return requests
}

// logIn retries the login until the directory knows the school.
func logIn(b *testing.B, app http.Handler, host string) string {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		body := fmt.Sprintf(`{"email": "admin@load.example", "password": %q}`, loadSecret)
		r := httptest.NewRequest(http.MethodPost, "/api/auth/login", strings.NewReader(body))
		r.Host = host
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		var answer struct {
			Token string `json:"token"`
		}
		if w.Code == http.StatusOK {
			require.NoError(b, json.Unmarshal(w.Body.Bytes(), &answer))
			return answer.Token
		}
		require.False(b, time.Now().After(deadline), "log in: %d %s", w.Code, w.Body)
	}
}

// app returns the handler of the example.
func (p loadPlatform) app(b *testing.B) http.Handler {
	b.Helper()
	a, err := newApp(b.Context(), p.platform, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8000})
	require.NoError(b, err)
	b.Cleanup(a.hosts.Close)
	return a.handler
}

// bare returns the smallest handler with the same answer: each school's statement contains its
// schema.
func (p loadPlatform) bare(b *testing.B) http.Handler {
	b.Helper()
	pool, err := pgxpool.New(b.Context(), p.url)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	statements := make(map[string]string)
	for t, err := range p.tenants.All(b.Context(), tenancy.Filter{}) {
		require.NoError(b, err)
		statements[t.Slug+".localhost"] = "select id, admission_number, first_name, last_name, " +
			"date_of_birth, class_id, user_id, created_at, updated_at from " +
			pgx.Identifier{
				t.Schema,
				"students",
			}.Sanitize() + " where id = $1"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/students/{id}", func(w http.ResponseWriter, r *http.Request) {
		rows, _ := pool.Query(r.Context(), statements[r.Host], r.PathValue("id")) // CollectExactlyOneRow returns the error
		student, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[erp.Student])
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(student) // an error means that the client has disconnected
	})
	return mux
}

func (p loadPlatform) serve(b *testing.B, h http.Handler) (addr string) {
	b.Helper()
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// load sends requests for loadMoment on loadConns connections, and returns the answers per second.
func load(b *testing.B, addr string, requests [][]byte) float64 {
	b.Helper()
	var served atomic.Int64
	begin := time.Now().Add(loadLeadIn)
	end := begin.Add(loadMoment)
	var wg sync.WaitGroup
	for i := range loadConns {
		wg.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if !assert.NoError(b, err) {
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for next := i; ; next++ {
				now := time.Now()
				if now.After(end) {
					return
				}
				if !assert.NoError(b, ask(conn, answers, requests[next%len(requests)])) {
					return
				}
				if now.After(begin) {
					served.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return float64(served.Load()) / loadMoment.Seconds()
}

func ask(conn io.Writer, answers *bufio.Reader, request []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("Okafor"))) {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return err
}
