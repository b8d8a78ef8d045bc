package modeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/oryne/pgtenant/schemactx"
)

// TestModel draws sequences of steps at every level. A step after which the server, the pools or
// the rows differ from the model fails the run. rapid then looks for a shorter sequence that fails
// too, and prints its steps.
//
// CONTRIBUTING.md says how to check that the test finds a fault.
func TestModel(t *testing.T) {
	for _, l := range levels {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, l)
			rapid.Check(t, func(rt *rapid.T) {
				m := newModel(rt, w)
				defer m.close()
				rt.Repeat(m.actions())
				m.finish(rt)
			})
		})
	}
}

// capacity is the number of prepared statements that a connection keeps. It is small, so that they
// are replaced often.
const capacity = 4

// largest is the maximum number of statements in a batch.
const largest = 4

// model is one run: a DB and the expected outcome of its steps.
type model struct {
	*world
	rt    *rapid.T
	db    *schemactx.DB
	pool  *pgxpool.Pool // the pool that New was given
	conns int
	lanes int      // at most one: with several, the lane of a tenant would be random
	exec  bool     // statements are unnamed
	extra []string // schemas on the path of every scope

	opened       []*pgx.Conn     // connections of all pools, in order
	gone         map[uint32]bool // backends that the administrator has ended
	scopeChanged map[uint32]bool // backends whose sessions a tenant's own statements may have changed
	txs          []*openTx
	rows         map[int64]*row
	clean        map[uint32]string // by backend: the schema of the last unit of work, if that succeeded
	first        int64             // the first ID of this run's rows

	// About the present step:
	cancel    context.CancelFunc
	cancelled bool
	killed    bool     // the backend of the step was ended
	schema    string   // the schema of the step
	wantUnit  string   // the setting that its statements must find
	entered   []uint32 // backends of the units of work that have started
	left      []uint32 // backends of those that have released their connection
	panicAt   string   // the place at which a callback panics, if it is reached
	panicDone bool
	unit      string // the setting of its context, "" for none
	violation string // a forbidden thing that a statement has found
}

// row is an expected row of ledger or, if held, of trail alone.
type row struct {
	schema string
	fate   fate
	group  int64 // of the rows of a group, all exist or none
	unit   string
	held   bool // a held cursor writes it, into trail alone
}

type fate int

const (
	pending   fate = iota // written in an open transaction
	committed             // exists
	undone                // does not exist
	unknown               // may exist: the connection was lost, or the caller's code has panicked
)

func newModel(rt *rapid.T, w *world) *model {
	m := &model{
		world:        w,
		rt:           rt,
		rows:         map[int64]*row{},
		gone:         map[uint32]bool{},
		clean:        map[uint32]string{},
		scopeChanged: map[uint32]bool{},
		first:        w.ids,
	}
	m.conns = rapid.IntRange(1, 3).Draw(rt, "connections")
	m.exec = rapid.IntRange(0, 4).Draw(rt, "unnamed") == 4
	cfg, err := pgxpool.ParseConfig(w.pg.URLAs(w.login(), password))
	require.NoError(rt, err)
	cfg.MaxConns = int32(m.conns)
	cfg.HealthCheckPeriod = time.Hour
	cfg.ConnConfig.OnNotice = m.hearNotice
	cfg.ConnConfig.Tracer = tracer{m}
	if m.exec {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	path := rapid.IntRange(0, 3).Draw(rt, "AfterConnect sets the path") == 3 && w.level.level != schemactx.Logins
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		m.opened = append(m.opened, conn)
		if !path {
			return nil
		}
		return conn.PgConn().Exec(ctx, "set search_path = lib").Close() // without calls of the tracer
	}
	m.pool, err = pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(rt, err)
	config := schemactx.Config{
		Level: w.level.level, Roles: w.roles, StatementCacheCapacity: capacity, Hooks: m.hooks(),
		Limits: func(schema string) schemactx.Limits {
			if schema == rich {
				return schemactx.Limits{MaxConns: m.conns, StatementTimeout: time.Minute}
			}
			return schemactx.Limits{}
		},
		Logins: schemactx.LoginsConfig{
			MaxConns: int32(m.conns), Password: func(context.Context, string) (string, error) { return password, nil },
		},
	}
	if w.level.level != schemactx.Logins {
		m.lanes = rapid.IntRange(0, 1).Draw(rt, "lanes")
		config.Lanes = m.lanes
	}
	config.ServerLog = rapid.SampledFrom([]schemactx.ServerLog{
		schemactx.ServerLogOff, schemactx.ServerLogApplicationName, schemactx.ServerLogComment,
	}).
		Draw(rt, "server log")
	if rapid.IntRange(0, 3).Draw(rt, "lib is on the path") == 3 {
		m.extra = []string{"lib"}
	}
	config.ExtraSearchPath, config.Types = m.extra, []string{"mood", "home"}
	m.db, err = schemactx.New(m.pool, config)
	require.NoError(rt, err)
	return m
}

func (m *model) close() {
	for _, tx := range m.txs {
		_ = tx.root().Rollback(context.Background())
	}
	broken := m.broken()
	if m.onLoan(0) == 0 {
		m.db.Close()
		m.pool.Close()
		m.sweep(broken)
		return
	}
	for _, conn := range m.opened { // some are lost, which the run has reported
		_ = conn.Close(context.Background())
	}
	go m.db.Close() // never returns, as it waits for them
	go m.pool.Close()
}

// broken returns the backends of closed connections. These were closed during a statement or
// otherwise early.
func (m *model) broken() (pids []int32) {
	for _, conn := range m.opened {
		if conn.IsClosed() {
			pids = append(pids, int32(conn.PgConn().PID()))
		}
	}
	return pids
}

// sweep ends backends that have not noticed yet that their client is gone: on a busy machine one
// may still sleep in a trigger.
func (m *model) sweep(pids []int32) {
	if len(pids) == 0 {
		return
	}
	_, err := m.pg.Pool.Exec(context.Background(), `select pg_terminate_backend(pid, 20000) from pg_stat_activity
		where pid = any($1) and datname = current_database()`, pids)
	assert.NoError(m.rt, err, "end the backends of lost connections")
}

// finish rolls back all open transactions, so that the fate of every row is known.
func (m *model) finish(rt *rapid.T) {
	for len(m.txs) > 0 {
		m.rollback(rt, m.txs[0])
		m.check(rt)
	}
}

// logf logs a step. rapid prints the log of the shortened sequence.
func (m *model) logf(format string, args ...any) { m.rt.Logf(format, args...) }

// stepTimeout is a time in which every step ends, also on a busy machine.
const stepTimeout = 20 * time.Second

// outcome is the result of a step.
type outcome struct {
	err      error
	panicked any
}

func (o outcome) String() string {
	switch {
	case o.panicked != nil:
		return fmt.Sprint("panic: ", o.panicked)
	case o.err != nil:
		return o.err.Error()
	}
	return "ok"
}

// step runs fn, which uses the DB, with a context of a schema, and logs the result.
func (m *model) step(rt *rapid.T, schema, what string, fn func(ctx context.Context) error) outcome {
	m.wantUnit = m.unit
	return m.stepWithin(rt, schema, what, fn)
}

func (m *model) stepWithin(rt *rapid.T, schema, what string, fn func(ctx context.Context) error) outcome {
	m.rt = rt
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.cancel, m.killed, m.entered, m.left, m.panicDone, m.violation, m.schema = cancel, false, nil, nil, false, "", schema
	if m.cancelled {
		cancel()
	}
	switch schema {
	case "":
	case public:
		ctx = schemactx.NewPublicContext(ctx)
	default:
		ctx = schemactx.NewContext(ctx, schema)
	}
	if m.unit != "" {
		ctx = schemactx.WithSettings(ctx, map[string]string{"app.unit": m.unit, "lock_timeout": "1min"})
		what += " {" + m.unit + "}"
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() { done <- o }()
		defer func() {
			if p := recover(); p != nil {
				o.panicked = p
			}
		}()
		o.err = fn(ctx)
	}()
	select {
	case o := <-done:
		m.logf("%-8s %s: %s", schema, what, o)
		if o.panicked != nil {
			require.Same(rt, errPanic, o.panicked, "the panic of %s in %s", what, schema)
		}
		require.Empty(rt, m.violation, "%s in %s", what, schema)
		m.panicAt = ""
		for _, pid := range m.entered {
			delete(m.clean, pid)
		}
		return o
	case <-time.After(stepTimeout):
		rt.Fatalf("%s in %s hangs", what, schema)
		return outcome{}
	}
}

// lost reports whether the step may have failed because its backend was ended or its context was
// cancelled.
func (m *model) lost() bool {
	return m.cancelled || m.killed || slices.ContainsFunc(m.entered, func(pid uint32) bool { return m.gone[pid] })
}

// committed notes that a unit of work of a schema has succeeded, so its connection has no state of
// other tenants.
func (m *model) committed(schema string) {
	for _, pid := range m.entered {
		m.clean[pid] = schema
	}
}

// hearNotice cancels the context of the step or ends its backend, as the notice of a trigger says.
func (m *model) hearNotice(pc *pgconn.PgConn, n *pgconn.Notice) {
	switch {
	case strings.HasSuffix(n.Message, "cancel"):
		m.cancelled = true
		m.cancel()
	case strings.HasSuffix(n.Message, "kill"):
		m.killed = true
		m.kill(pc.PID())
	}
}

// kill ends a backend and waits until it has ended.
func (m *model) kill(pid uint32) {
	m.gone[pid] = true
	if _, err := m.pg.Pool.Exec(context.Background(), "select pg_terminate_backend($1, 20000)", pid); err != nil {
		m.violation = err.Error()
	}
}

func (m *model) newID() int64 {
	m.ids++
	return m.ids
}

// free reports whether a connection is available for a unit of work of the schema.
func (m *model) free(schema string) bool {
	held := 0
	for _, tx := range m.txs {
		if m.poolOf(tx.schema) == m.poolOf(schema) {
			held++
		}
	}
	return held < m.conns
}

// poolOf returns the name of the pool that serves a schema.
func (m *model) poolOf(schema string) string {
	switch {
	case schema == public:
		return "given"
	case m.level.level == schemactx.Logins:
		return schema
	case m.lanes > 0:
		return "lane"
	}
	return "given"
}

// is reports whether err is one of errs.
func is(err error, errs ...error) bool {
	return slices.ContainsFunc(errs, func(e error) bool { return errors.Is(err, e) })
}

// hasState reports whether err is an error of PostgreSQL with that SQLSTATE.
func hasState(err error, state string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == state
}

// outdated reports whether err says that a prepared statement is stale after a migration, or that
// it does not exist because a function has deallocated it.
func outdated(err error) bool { return hasState(err, "0A000") || hasState(err, "26000") }
