package quarantine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/quarantine"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// fixture is a database with some schemas, each of a tenant with the same name.
type fixture struct {
	pg      *pgtest.DB
	mu      sync.Mutex
	schemas []string
	log     syncBuffer
}

// syncBuffer is a buffer for a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func setup(t *testing.T, schemas ...string) *fixture {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	for _, schema := range schemas {
		f.add(t, schema)
	}
	return f
}

func (f *fixture) add(t *testing.T, schema string) {
	t.Helper()
	f.exec(t, "create schema "+schema)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.schemas = append(f.schemas, schema)
}

func (f *fixture) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := f.pg.Pool.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func (f *fixture) list(ctx context.Context) iter.Seq2[string, error] {
	f.mu.Lock()
	defer f.mu.Unlock()
	return migrate.Schemas(f.schemas...)(ctx)
}

// files returns n migrations, each of which creates a table and can be undone.
func files(n int) fstest.MapFS {
	all := make(fstest.MapFS)
	for v := 1; v <= n; v++ {
		all[fmt.Sprintf("%05d_table.sql", v)] = &fstest.MapFile{
			Data: []byte(fmt.Sprintf("-- +goose Up\ncreate table t%d (id int);\n-- +goose Down\ndrop table t%[1]d;\n", v)),
		}
	}
	return all
}

// release returns the runner of a program with n migrations.
func (f *fixture) release(t *testing.T, n int, change ...func(*migrate.Config)) *migrate.Runner {
	t.Helper()
	cfg := migrate.Config{
		Tenant:      []migrate.Source{{Name: "app", FS: files(n)}},
		LockRetries: -1,
		LockTimeout: 50 * time.Millisecond,
	}
	for _, c := range change {
		c(&cfg)
	}
	r, err := migrate.New(f.pg.Pool, cfg)
	require.NoError(t, err)
	return r
}

func migrated(t *testing.T, r *migrate.Runner, schemas ...string) {
	t.Helper()
	for _, schema := range schemas {
		require.NoError(t, r.Migrate(t.Context(), schema))
	}
}

// open creates a quarantine that checks often, and runs it until the test ends.
func (f *fixture) open(t *testing.T, r *migrate.Runner, change ...func(*quarantine.Config)) *quarantine.Quarantine {
	t.Helper()
	cfg := quarantine.Config{
		Runner:       r,
		Schemas:      f.list,
		Interval:     50 * time.Millisecond,
		Recheck:      10 * time.Millisecond,
		FirstTimeout: 30 * time.Second,
		Logger:       slog.New(slog.NewTextHandler(&f.log, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	q, err := quarantine.New(t.Context(), cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { q.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return q
}

func tenant(schema string) *tenancy.Tenant {
	return &tenancy.Tenant{ID: 1, Slug: strings.ReplaceAll(schema, "_", "-"), Schema: schema, Status: tenancy.Active}
}

// site serves the tenant whose schema the host names.
func site(q *quarantine.Quarantine) http.Handler {
	hosts := tenanthttp.ResolverFunc(func(_ context.Context, host string) (tenanthttp.Target, error) {
		return tenanthttp.TenantTarget(tenant(strings.TrimSuffix(host, ".example.com"))), nil
	})
	return tenanthttp.Handler(hosts, tenanthttp.Routes{
		Tenant: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Admit: q.Admit,
	})
}

func request(q *quarantine.Quarantine, schema string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	site(q).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+schema+".example.com/", nil))
	return w
}

// expectKeptOut checks the refusal of a request for a tenant in quarantine.
func expectKeptOut(t *testing.T, q *quarantine.Quarantine, schema, reason string) {
	t.Helper()
	w := request(q, schema)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code, schema)
	assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), schema)
	var p tenanthttp.Problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	assert.Equal(t, tenanthttp.ProblemQuarantined, p.Type, schema)
	retry := w.Header().Get("Retry-After")
	assert.Equal(
		t,
		reason == quarantine.Behind || reason == quarantine.Unknown,
		retry != "",
		"%s: Retry-After is %q",
		schema,
		retry,
	)
	var refused *tenancy.QuarantineError
	require.ErrorAs(t, q.Admit(t.Context(), tenant(schema)), &refused)
	assert.Equal(t, reason, refused.Reason, schema)
	assert.Equal(t, schema, refused.Schema)
}

func expectServed(t *testing.T, q *quarantine.Quarantine, schemas ...string) {
	t.Helper()
	for _, schema := range schemas {
		assert.Equal(t, http.StatusOK, request(q, schema).Code, schema)
	}
}

// eventually waits until done returns true, for at most a minute.
func eventually(t *testing.T, done func() bool, what string) {
	t.Helper()
	require.Eventually(t, done, time.Minute, 5*time.Millisecond, what)
}
