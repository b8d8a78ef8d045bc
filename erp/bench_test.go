package erp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// BenchmarkGetStudent compares GET /api/students/{id} through host, session, visibility and scope
// with a bare handler of net/http and pgx, which has the schema in its SQL and checks no session.
// Slices of the two alternate, so that both have the same load on the machine. "ratio" is the
// median of the module's requests per second divided by those of the bare handler. Client, server
// and database share the machine.
//
//	go test -run '^$' -bench GetStudent -benchtime 40x ./erp
func BenchmarkGetStudent(b *testing.B) {
	f := setup(b)
	_, err := f.db.Exec(f.a.Context(), `insert into students (admission_number, first_name, last_name)
		select n, 'First', 'Last' from generate_series(1, $1::int) n`, benchRows)
	require.NoError(b, err)
	token := f.token(f.a, erp.RoleAdmin)
	whole := tenanthttp.Handler(f.hosts, tenanthttp.Routes{Tenant: erp.Handler(f.db, erp.HandlerConfig{Signer: f.signer})})
	bare, module := serveBench(b, bareHandler(b, f)), serveBench(b, whole)
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			ratios := make([]float64, 0, b.N)
			var base, scoped float64
			for range b.N {
				base = rate(b, bare, f.a.Host, token, goroutines)
				scoped = rate(b, module, f.a.Host, token, goroutines)
				ratios = append(ratios, scoped/base)
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
			b.ReportMetric(base, "bare/s")
			b.ReportMetric(scoped, "erp/s")
			b.ReportMetric(0, "ns/op") // the time of a round, which means nothing
		})
	}
}

const (
	benchRows  = 500
	benchSlice = 250 * time.Millisecond
)

// bareHandler is a handler for one school without this module.
func bareHandler(b *testing.B, f *fixture) http.Handler {
	b.Helper()
	cfg := f.env.Owner.Config()
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	sql := "select id, admission_number, first_name, last_name, date_of_birth, class_id, user_id, " +
		"created_at, updated_at from " +
		pgx.Identifier{
			f.a.Schema,
			"students",
		}.Sanitize() + " where id = $1"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/students/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		var s erp.Student
		err = pool.QueryRow(r.Context(), sql, id).
			Scan(&s.ID, &s.AdmissionNumber, &s.FirstName, &s.LastName, &s.DateOfBirth, &s.ClassID,
				&s.UserID, &s.CreatedAt, &s.UpdatedAt)
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s)
	})
	return mux
}

// serveBench returns the address of a server for h.
func serveBench(b *testing.B, h http.Handler) string {
	b.Helper()
	server := httptest.NewServer(h)
	b.Cleanup(server.Close)
	return server.URL
}

// rate returns the number of requests per second that the server at url serves.
func rate(b *testing.B, url, host, token string, goroutines int) float64 {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: goroutines}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	counts := make([]int, goroutines)
	start := time.Now()
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := g; time.Since(start) < benchSlice; i++ {
				if !assert.NoError(b, getOnce(b.Context(), client, url+"/api/students/"+strconv.Itoa(1+i%benchRows), host, token)) {
					return
				}
				counts[g]++
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(start).Seconds()
}

func getOnce(ctx context.Context, client *http.Client, url, host, token string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	r.Host = host
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %w", resp.Status, body, err)
	}
	return nil
}
