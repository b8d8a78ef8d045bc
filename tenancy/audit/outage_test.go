package audit_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// server is a PostgreSQL for one test that can be stopped and started again.
type server struct {
	dir     string
	running *localpg.Server
	port    atomic.Int64 // changes with each start
}

func (s *server) start(t *testing.T) {
	t.Helper()
	var err error
	s.running, err = localpg.Start(t.Context(), localpg.Config{DataDir: s.dir})
	if none := (*localpg.NoBinariesError)(nil); errors.As(err, &none) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	s.port.Store(int64(s.running.Port()))
}

func (s *server) stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, s.running.Stop(ctx))
}

// newServer starts a server. It skips the test without PostgreSQL binaries, for example if the
// other tests use a given server.
func newServer(t *testing.T) *server {
	t.Helper()
	pgtest.Version(t) // skips or fails without a server
	dir, err := os.MkdirTemp("", "audit-outage-*")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755)) // if root starts it, PostgreSQL runs as another user
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	s := &server{dir: filepath.Join(dir, "pg")}
	s.start(t)
	t.Cleanup(func() {
		if s.running != nil {
			s.stop(t)
		}
	})
	return s
}

// PostgreSQL is stopped while requests go on. After its restart the log has every row.
func TestAnOutageLosesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	admin, err := pgxpool.New(t.Context(), s.running.TCPURL("postgres"))
	require.NoError(t, err)
	pg := &pgtest.DB{URL: s.running.TCPURL("postgres"), Name: "postgres", Pool: admin, RolePrefix: "outage"}
	require.NoError(t, build(t.Context(), pg))
	admin.Close()

	// The server has another port after each start: the pool reads it when it connects.
	runtime := s.pool(t, "outage_runtime", "r")
	roles, err := schemactx.NewRoleNames("outage")
	require.NoError(t, err)
	db, err := schemactx.New(runtime, schemactx.Config{Roles: roles})
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "spill")
	l, err := audit.Open(
		t.Context(),
		db,
		audit.Config{Spill: audit.SpillConfig{Dir: dir}, Linger: time.Millisecond, WriteTimeout: 5 * time.Second},
	)
	require.NoError(t, err)
	cfg := audit.MiddlewareConfig{Required: audit.Writes}
	sent := 0
	requests := func(n int) {
		for range n {
			w := serve(l, cfg, answer(http.StatusOK), request("POST", "http://a.example.com/"))
			assert.Equal(t, http.StatusOK, w.Code)
			sent++
		}
		require.NoError(t, l.Flush(t.Context()))
	}
	for range 2 {
		requests(50)
		s.stop(t)
		requests(50)
		requests(50)
		st := l.Status()
		assert.Error(t, st.Err, "status of a log without database: %+v", st)
		assert.NotZero(t, st.SpillBytes, "status of a log without database: %+v", st)
		err = l.Write(t.Context(), audit.Entry{Action: audit.Export})
		assert.Error(t, err, "an entry was written to an unavailable database")
		s.start(t)
		eventually(t, "the spill to be empty", func() bool { st := l.Status(); return st.SpillBytes == 0 && st.Err == nil })
	}
	requests(50)
	st := l.Status()
	assert.GreaterOrEqual(t, st.Spilled, int64(200), "status %+v", st)
	assert.Equal(t, st.Spilled, st.Replayed, "status %+v", st)
	assert.Zero(t, st.Dropped, "status %+v", st)
	s.stop(t)
	requests(50)
	closeLog(t, l) // while the server is stopped
	s.start(t)
	l, err = audit.Open(t.Context(), db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	require.NoError(t, err)
	eventually(t, "the spill to be empty", func() bool { return l.Status().SpillBytes == 0 })
	closeLog(t, l)

	reader, err := audit.NewReader(s.pool(t, "outage_owner", "o"), audit.ReaderConfig{})
	require.NoError(t, err)
	found := 0
	for _, err := range reader.All(t.Context(), audit.Filter{Actions: []audit.Action{audit.SchemaAccess}}) {
		require.NoError(t, err)
		found++
	}
	assert.Equal(t, sent, found, "%d of %d requests are logged", found, sent)
	report := expectReport(t, reader, audit.VerifyOptions{})
	// a log that only replays begins no chain
	assert.Equal(t, 1, report.Chains, "%d chains", report.Chains)
}

// pool returns a pool that connects to the current port of the server.
func (s *server) pool(t *testing.T, user, password string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(strings.Replace(s.running.TCPURL("postgres"), "//postgres:", "//"+user+":", 1))
	require.NoError(t, err)
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		c.Port, c.User, c.Password = uint16(s.port.Load()), user, password
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestEntriesAreSpilledWhileTheTableIsMissing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "alter table public.audit_log rename to audit_log_away")
	l := f.open(t, audit.Config{Spill: audit.SpillConfig{Dir: filepath.Join(t.TempDir(), "s"), Sync: audit.SyncNever}})
	f.fill(t, l, 20, 1, 2)
	s := l.Status()
	assert.Equal(t, "42P01", stateOf(s.Err), "status %+v", s)
	assert.Equal(t, int64(41), s.Spilled, "status %+v", s)
	assert.Zero(t, s.Written, "status %+v", s)
	f.exec(t, "alter table public.audit_log_away rename to audit_log")
	eventually(t, "the spill to be empty", func() bool { return l.Status().SpillBytes == 0 })
	assert.Equal(t, 40, f.count(t, "tenant_id > 0"), "rows")
	f.verify(t)
}

func TestTheSpillOfAKilledProcessIsReplayed(t *testing.T) {
	t.Parallel()
	for _, die := range []string{"replay", "replayed"} {
		for _, batch := range []int{0, 1, 3} {
			t.Run(die+itoa(batch), func(t *testing.T) {
				t.Parallel()
				f := setup(t)
				o := order{URL: f.writerURL(t), Dir: filepath.Join(t.TempDir(), "s"), Tenant: 7, Entries: 95, Die: "spilled"}
				f.exec(t, "alter table public.audit_log rename to audit_log_away")
				run(t, o)
				f.exec(t, "alter table public.audit_log_away rename to audit_log")
				o.Entries, o.Die, o.Batch = 0, die, batch
				run(t, o)
				run(t, o) // again from the beginning
				o.Entries, o.Die = 5, ""
				run(t, o)
				assert.Equal(t, 100, f.count(t, "actor = 'process'"), "rows of 100")
				files, err := os.ReadDir(o.Dir)
				require.NoError(t, err)
				for _, file := range files {
					assert.False(t, strings.HasSuffix(file.Name(), ".spill"), "%s is left", file.Name())
				}
				f.verify(t)
			})
		}
	}
}

// writerURL creates a login with the rights of a writer and returns its URL.
func (f *fixture) writerURL(t testing.TB) string {
	t.Helper()

	login := f.roles.Prefix() + "_w" + strings.Split(f.pg.Name, "_")[1]
	f.exec(t, "create role "+login+" login password 'w'")
	require.NoError(t, audit.Grant(t.Context(), f.owner, audit.Rights{Writers: []string{login}}))
	return f.pg.URLAs(login, "w")
}

func TestSeveralProcessesWriteAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	url := f.writerURL(t)
	for range 3 {
		o := order{URL: url, Dir: filepath.Join(t.TempDir(), "s"), Tenant: 7, Entries: 500}
		cmd := start(t, o)
		defer func() { require.NoError(t, cmd.Wait()) }()
	}
	l := f.open(t, audit.Config{})
	done := make(chan bool)
	for range 4 {
		go func() {
			defer func() { done <- true }()
			for range 100 {
				assert.NoError(t, l.Write(t.Context(), audit.Entry{Tenant: 7, Action: audit.Export, Actor: "process"}))
			}
		}()
	}
	for range 4 {
		<-done
	}
	eventually(t, "all rows", func() bool { return f.count(t, "actor = 'process' and tenant_id = 7") == 1900 })
	eventually(t, "the ends of all chains", func() bool { return f.count(t, "action = 'log_closed'") == 3 })
	report := f.verify(t)
	assert.Equal(t, 4, report.Chains, report)
	assert.Zero(t, report.Late, report)
	tenant, err := f.reader.Verify(t.Context(), 7)
	require.NoError(t, err)
	expectKinds(t, tenant)
	assert.Equal(t, int64(1901), tenant.Rows, "%d rows of the tenant", tenant.Rows)
}
