package pgtest

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
)

// noServerEnv makes the binary behave as if there were no server.
const noServerEnv = "PGTEST_TEST_NO_SERVER"

var errNoServer = &localpg.NoBinariesError{Places: []localpg.Place{{Name: "this test", Err: errors.New("it has none")}}}

func TestMain(m *testing.M) {
	if os.Getenv(noServerEnv) != "" {
		shared.once.Do(func() { shared.err = errNoServer })
	}
	os.Exit(Main(m))
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := New(t), New(t)
	run(t, a, "create table only_in_a ()")
	var there bool
	err := b.Pool.QueryRow(t.Context(), "select to_regclass('only_in_a') is not null").Scan(&there)
	assert.NoError(t, err, "b has the table of a: %t", there)
	assert.False(t, there, "b has the table of a: %t, %v", there, err)
}

var builds atomic.Int32

var counted = Template{Build: func(ctx context.Context, db *DB) error {
	builds.Add(1)
	_, err := db.Pool.Exec(ctx, "create table things (id int); insert into things values (1)")
	return err
}}

func TestClonesOfATemplate(t *testing.T) {
	t.Parallel()
	for range 4 {
		t.Run("clone", func(t *testing.T) {
			t.Parallel()
			db := counted.New(t)
			run(t, db, "insert into things values (2)")
			var n int
			err := db.Pool.QueryRow(t.Context(), "select count(*) from things").Scan(&n)
			assert.NoError(t, err, "%d things, %v, want the template's and ours", n, err)
			assert.Equal(t, 2, n, "%d things, %v, want the template's and ours", n, err)
			assert.Equal(t, int32(1), builds.Load(), "the template was built %d times", builds.Load())
		})
	}
}

// recorder is a testing.TB that records a failure and does not fail this test.
type recorder struct {
	testing.TB
	failed   bool
	log      []string
	cleanups []func()
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Failed() bool          { return r.failed }
func (r *recorder) Cleanup(f func())      { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Logf(format string, args ...any) {
	for _, a := range args {
		if s, ok := a.(string); ok {
			r.log = append(r.log, s)
		}
	}
}

func (r *recorder) finish() {
	for _, f := range r.cleanups {
		f()
	}
}

func TestLeakedConnectionFailsTheTestAndKeepsItsDatabase(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	db := New(r)
	conn, err := pgx.Connect(t.Context(), db.URL)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	r.finish()
	if assert.True(t, r.failed, "failed: %t, log %v; want a failure and the URL", r.failed, r.log) {
		assert.Contains(t, strings.Join(r.log, " "), db.URL,
			"failed: %t, log %v; want a failure and the URL", r.failed, r.log)
	}
	assert.True(t, exists(t, db), "the database is gone")
	assert.NoError(t, db.server.dropDatabase(t.Context(), db.Name))
}

func TestPassedTestLeavesNothing(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	db := New(r)
	run(t, db, strings.ReplaceAll(`create role p_owner createrole; create table mine (); alter table mine owner to p_owner;
		create role p_granted; grant p_granted to p_owner with admin option; create role p_member;
		set role p_owner; grant p_granted to p_member; reset role`, "p_", db.RolePrefix+"_"))
	r.finish()
	assert.False(t, r.failed, "the clean-up has failed: %v", r.log)
	assert.False(t, exists(t, db), "the database is left")
	var roles int
	err := db.server.admin.QueryRow(t.Context(),
		"select count(*) from pg_roles where starts_with(rolname::text, $1)", db.RolePrefix).Scan(&roles)
	assert.NoError(t, err, "%d roles left", roles)
	assert.Equal(t, 0, roles, "%d roles left", roles)
}

func run(t *testing.T, db *DB, sql string) {
	t.Helper()
	_, err := db.Pool.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func exists(t *testing.T, db *DB) bool {
	t.Helper()
	var there bool
	err := db.server.admin.QueryRow(t.Context(), "select exists (select from pg_database where datname = $1)", db.Name).
		Scan(&there)
	require.NoError(t, err)
	return there
}
